"""Seeded markets with known truth: SIM-NOISE-n, SIM-EDGE-n, SIM-REGIME-n and SIM-DIRTY-n, n from 1 to 9999.

3,000 sessions of the New York exchange up to 2025-12-31. The ticker is the seed: the same rows in every fetch.
SIM-DIRTY has the errors of real files, at the positions below.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version

import numpy as np
import pandas as pd
from numpy.random import Generator

from zenith_core.arrays import Floats
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import sessions_between
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.ingestion.sources.base import RawPrices, raw_table, since_date, unknown_ticker

SESSIONS = 3000
LAST = date(2025, 12, 31)
RECORDED_SPLIT, UNRECORDED_SPLIT = 800, 1600
SOURCE_ERROR, GAP, LONG_GAP, FLAT = 400, 1200, 2000, 2400
DIVIDEND_EVERY = 63
_PRICES = ["open", "high", "low", "close"]
_TICKER = re.compile(r"SIM-(NOISE|EDGE|REGIME|DIRTY)-[1-9][0-9]{0,3}")


@dataclass(frozen=True)
class Market:
    """Daily log-returns, their volatility, and the hidden state that drives drift and volume, each (n,).

    `state[t]` is known at the close of t and moves the return of t + 1; it is zero without a planted effect.
    """

    returns: Floats
    volatility: Floats
    state: Floats


class SimulatedSource:
    """Simulated tickers. `oracle_sharpe`: Sharpe ratio of trading the SIM-EDGE state, long or flat, before costs."""

    name = "simulated"

    def __init__(self, oracle_sharpe: float = 2.0) -> None:
        self._oracle_sharpe = oracle_sharpe

    def fetch(self, ticker: str, since: date | None = None) -> RawPrices:
        """See `PriceSource.fetch`."""
        ticker = validate_ticker(ticker)
        if not self.offers(ticker):
            raise unknown_ticker(ticker, "the simulator", [*self.tickers(), "and other numbers"])
        random = np.random.default_rng(list(ticker.encode()))
        prices = _bars(self.market(ticker, random), random)
        if "DIRTY" in ticker:
            prices = _make_dirty(prices, random)
        return RawPrices(
            prices=since_date(raw_table(prices), since),
            source=self.name,
            library=f"numpy {version('numpy')}",
            fetched_at=datetime.now(UTC),
            currency="USD",
        )

    def offers(self, ticker: str) -> bool:
        """See `PriceSource.offers`."""
        return _TICKER.fullmatch(ticker) is not None

    def tickers(self) -> list[str]:
        """List the first ticker of each kind; any other number is another seed."""
        return [f"SIM-{kind}-1" for kind in sorted(_MARKETS)]

    def market(self, ticker: str, random: Generator | None = None) -> Market:
        """Return the truth behind a ticker."""
        random = random or np.random.default_rng(list(ticker.encode()))
        return _MARKETS[ticker.split("-")[1]](random, self._oracle_sharpe)


def _noise(random: Generator, _: float) -> Market:
    """Simulate a random walk without drift in the price."""
    return _market(random, np.full(SESSIONS, 0.015), np.zeros(SESSIONS), 0.0)


def _edge(random: Generator, oracle_sharpe: float) -> Market:
    """Simulate a slow state (AR(1), half-life ten sessions) that drives the price's drift."""
    persistence = 0.5 ** (1 / 10)
    state = np.empty(SESSIONS)
    state[0] = random.standard_normal()
    for t, shock in enumerate(random.standard_normal(SESSIONS - 1), start=1):
        state[t] = persistence * state[t - 1] + np.sqrt(1 - persistence**2) * shock
    # Long when the state is positive, a standard normal: mean drift E[max(x, 0)] = 1/√(2π) of `strength`
    # daily volatilities, at 1/√2 of the volatility.
    strength = oracle_sharpe / np.sqrt(252) * np.sqrt(np.pi)
    return _market(random, np.full(SESSIONS, 0.015), state, strength)


def _regime(random: Generator, _: float) -> Market:
    """Simulate calm (0.8 %) and turbulent (3 %) volatility, which alternate about every hundred sessions."""
    turbulent = np.cumsum(random.random(SESSIONS) < 0.01) % 2 == 1
    return _market(random, np.where(turbulent, 0.03, 0.008), np.zeros(SESSIONS), 0.0)


_MARKETS: dict[str, Callable[[Generator, float], Market]] = {
    "NOISE": _noise,
    "EDGE": _edge,
    "REGIME": _regime,
    "DIRTY": _noise,
}


def _market(random: Generator, volatility: Floats, state: Floats, strength: float) -> Market:
    drift = strength * volatility * np.append(0.0, state[:-1]) - volatility**2 / 2
    return Market(returns=drift + volatility * random.standard_normal(SESSIONS), volatility=volatility, state=state)


def _bars(market: Market, random: Generator) -> pd.DataFrame:
    close = 50.0 * np.exp(np.cumsum(market.returns))
    previous = np.append(50.0, close[:-1])
    open_price = previous * np.exp(0.4 * market.volatility * random.standard_normal(SESSIONS))
    stretch = np.exp(0.5 * market.volatility[:, None] * np.abs(random.standard_normal((SESSIONS, 2))))
    table = pd.DataFrame(
        {
            "open": open_price,
            "high": np.maximum(open_price, close) * stretch[:, 0],
            "low": np.minimum(open_price, close) / stretch[:, 1],
            "close": close,
            "volume": np.round(1e6 * np.exp(0.5 * market.state + 0.3 * random.standard_normal(SESSIONS))),
        },
        index=sessions_between(exchange_of("SIM"), date(LAST.year - 13, 1, 1), LAST)[-SESSIONS:],
    )
    return table


def _make_dirty(prices: pd.DataFrame, random: Generator) -> pd.DataFrame:
    """Unadjust prices for dividends and two splits, one of them unrecorded, then add the errors of real files.

    At the positions above: one price 80 % too high, a missing session, a gap of 30 sessions, five sessions without
    trading. Elsewhere: five rows without prices, a low above its high, a duplicate row, a Saturday, and a last row
    without a date.
    """
    table = _with_actions(prices.copy())
    table.iloc[SOURCE_ERROR, :4] *= 1.8
    for at in range(FLAT, FLAT + 5):
        table.iloc[at, :5] = [*[table["close"].iloc[FLAT - 1]] * 4, 0.0]
    table.iloc[random.choice(np.arange(100, 380), 5, replace=False), :4] = np.nan
    table.iloc[600, [1, 2]] = table.iloc[600, [2, 1]].tolist()
    saturday = table.iloc[[700]].set_axis(table.index[[700]] + pd.offsets.Week(weekday=5))
    no_date = table.iloc[[-1]].set_axis(pd.DatetimeIndex([pd.NaT]))
    gaps = table.index[[GAP, *range(LONG_GAP, LONG_GAP + 30)]]
    return pd.concat([table.drop(gaps), saturday, table.iloc[[900]], no_date])


def _with_actions(table: pd.DataFrame) -> pd.DataFrame:
    table["dividends"], table["splits"] = 0.0, 0.0
    row = np.arange(len(table))
    for at, is_recorded in ((RECORDED_SPLIT, True), (UNRECORDED_SPLIT, False)):
        table.loc[row < at, _PRICES] *= 2.0
        table.loc[row < at, "volume"] /= 2.0
        if is_recorded:
            table.loc[row == at, "splits"] = 2.0
    ex_date = (row > 0) & (row % DIVIDEND_EVERY == 0)
    table["dividends"] = np.where(ex_date, 0.005 * table["close"].shift(1), 0.0)
    return table
