"""Backtest of trading on signals, with costs, beside buy-and-hold.

A signal is known at its session's close and filled at the next session's open. `buy` puts the whole capital into
the stock (fractions of shares, so the result does not depend on the level of adjusted prices), `sell` goes to cash
or, where shorts are allowed, sells as many shares short as the capital would buy; `hold` and sessions without a
signal keep the position, up to the holding period of the last signal. Nothing is filled in a session without trading
(`flat` or `carried` in cleaned prices): the newest signal waits for the next session with trading.
`zenith_core.backtesting.account` does the accounting of trades and costs.
Prices are adjusted for splits and dividends, so all returns are total returns: a long position reinvests
its dividends, a short position pays them.
"""

from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.arrays import Floats
from zenith_core.backtesting.account import Account, Costs, break_even_cost, simulate_account
from zenith_core.errors import NonFiniteInput, TooShortHistory, UserError
from zenith_core.features.model_features import ewma_volatility
from zenith_core.inference import SIGNALS
from zenith_core.names import HEADLINE_HORIZON
from zenith_core.statistics.performance import SESSIONS_PER_YEAR, finite, performance


@dataclass(frozen=True)
class BacktestConfig:
    """Trading rules and costs. Raises UserError for invalid values.

    capital:    at the start, in the prices' currency
    commission, slippage: fractions of the value, per side
    allow_short: `sell` sells the stock short instead of going to cash
    target_volatility: a year, a fraction; a trade then gets the share `target / volatility` of the capital, at most
                all, by the EWMA volatility at the close before its entry. It is not changed until the exit:
                rebalancing would cost commission every day (docs/decisions/0010)
    holding_period: sessions that a signal is valid for; a position then ends unless its signal is renewed, so that
                a model that stops signalling does not stay invested. None keeps it until the opposite signal
    sessions_per_year: of the stock's market
    """

    capital: float = 100_000.0
    commission: float = 0.001
    slippage: float = 0.0005
    allow_short: bool = False
    target_volatility: float | None = None
    holding_period: int | None = None
    sessions_per_year: int = SESSIONS_PER_YEAR

    def __post_init__(self) -> None:
        for name in ("commission", "slippage"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} {getattr(self, name)} must be a fraction of the value, at least 0 and below 1")
        for name in ("capital", "target_volatility"):
            value = getattr(self, name)
            if value is not None and not (isfinite(value) and value > 0):
                raise UserError(f"{name} {value} must be a number above 0")
        if self.holding_period is not None and self.holding_period < 1:
            raise UserError(f"holding_period {self.holding_period} must be at least 1 session")

    @property
    def round_trip_cost(self) -> float:
        """Return the cost of buying and selling again, a fraction of the value."""
        return 2 * (self.commission + self.slippage)

    @property
    def costs(self) -> Costs:
        """Return the costs of a fill."""
        return Costs(self.commission, self.slippage)


@dataclass(frozen=True)
class Backtest:
    """The outcome of a backtest.

    trades: entry_date, entry_price, exit_date, exit_price, quantity, costs, pnl; prices are fills, slippage included;
            `quantity` is negative for a short; `costs` is commission plus slippage in currency; `pnl` is net of them.
            A trade still open at the end has no exit_date (NaT) and no exit_price (NaN); its pnl is marked at the
            last close.
    equity: date, strategy, buy_and_hold: account values at the close, from the first signal's date on.
    stats:  {"strategy": {...}, "buy_and_hold": {...}}: `performance` and figures of the trades, ready for JSON.
    """

    trades: pd.DataFrame
    equity: pd.DataFrame
    stats: dict[str, Any]


def backtest(prices: pd.DataFrame, signals: pd.Series, config: BacktestConfig | None = None) -> Backtest:
    """Trade `signals` ("buy", "hold" or "sell" by date) on cleaned `prices` (open, close; flat and carried if there).

    Sessions before the first signal are left out, except for its volatility; those after the last one are
    kept. Buy-and-hold invests the whole capital once, at the same costs. Without trades the statistics that need
    them are None.
    Raises TooShortHistory without signals, NonFiniteInput for unusable prices, ValueError for signals that are not
    one of the three or whose dates are not sessions.
    """
    config = config or BacktestConfig()
    weight = _weights(prices["close"], config)
    prices = _tradable_prices(prices, signals)
    strategy = _trade(prices, signals, weight.loc[prices.index], config)
    plain = replace(config, allow_short=False, target_volatility=None, holding_period=None)
    once = pd.Series("buy", index=prices.index[:1])
    buy_and_hold = _trade(prices, once, _weights(prices["close"], plain), plain)
    equity = {"date": prices.index, "strategy": strategy.equity, "buy_and_hold": buy_and_hold.equity}
    trades = _trade_table(prices.index, strategy, config)
    stats = {
        "strategy": _stats(strategy, trades, config.sessions_per_year),
        "buy_and_hold": _stats(buy_and_hold, _trade_table(prices.index, buy_and_hold, plain), config.sessions_per_year),
    }
    return Backtest(trades=trades, equity=pd.DataFrame(equity), stats=stats)


def forecast_signals(forecasts: pd.DataFrame, horizon: int = HEADLINE_HORIZON, threshold: float = 0.003) -> pd.Series:
    """Signals from price forecasts: buy or sell where the expected return exceeds `threshold`, else hold.

    The default threshold is the round-trip cost of BacktestConfig: a smaller move is not worth trading.
    Text by origin date. Raises ValueError, with the available horizons, if `horizon` is not among them.
    """
    rows = forecasts[forecasts["horizon"] == horizon].sort_values("origin")
    if rows.empty:
        raise ValueError(f"no forecasts for horizon {horizon}, there are {sorted(forecasts['horizon'].unique())}")
    expected = (rows["forecast"] / rows["close"] - 1).to_numpy(dtype=float)
    signals = np.where(expected > threshold, "buy", np.where(expected < -threshold, "sell", "hold"))
    return pd.Series(signals, index=pd.DatetimeIndex(rows["origin"], name="date"), name="signal")


def _tradable_prices(prices: pd.DataFrame, signals: pd.Series) -> pd.DataFrame:
    if signals.empty:
        raise TooShortHistory("no signals to trade: the walk-forward made none")
    unknown = sorted(set(signals.unique()) - set(SIGNALS))
    if unknown or not signals.index.isin(prices.index).all():
        raise ValueError(f"signals must be buy, hold or sell on sessions of the prices; unknown: {unknown}")
    prices = prices.loc[signals.index.min() :]
    values = prices[["open", "close"]].to_numpy(dtype=float)
    if not (np.isfinite(values) & (values > 0)).all():
        raise NonFiniteInput("open and close must be finite and above 0 to trade on")
    return prices


def _weights(close: pd.Series, config: BacktestConfig) -> pd.Series:
    """Return the share of the account for a trade entered in each session; NaN while the volatility is unknown."""
    if config.target_volatility is None:
        return pd.Series(1.0, index=close.index)
    volatility = ewma_volatility(close).shift(1) * config.sessions_per_year**0.5
    share: pd.Series = config.target_volatility / volatility
    return share.clip(upper=1.0)


def _trade(prices: pd.DataFrame, signals: pd.Series, weight: pd.Series, config: BacktestConfig) -> Account:
    opens, closes = prices["open"].to_numpy(dtype=float), _credible_closes(prices)
    position = _positions(prices, signals, weight, config)
    return simulate_account(opens, closes, position, weight.to_numpy(), config.capital, config.costs)


def _credible_closes(prices: pd.DataFrame) -> Floats:
    """Return the prices that value the account, (n,): the close, or the previous one where it is suspect."""
    close = prices["close"].astype(float)
    if "suspect" in prices:
        close = close.mask(prices["suspect"].astype(bool)).ffill().fillna(close)
    return np.asarray(close, dtype=np.float64)


def _positions(prices: pd.DataFrame, signals: pd.Series, weight: pd.Series, config: BacktestConfig) -> Floats:
    """Return 1, 0 or -1 for each session, from its open on. (n,)

    Nothing is filled in sessions without trading, before the weight is known, at a suspect price, or at an open that
    the source left blank. An error is known only a session later, but a fill at a wrong price would be a profit that
    nobody made.
    """
    meaning = {"buy": 1.0, "hold": np.nan, "sell": -1.0 if config.allow_short else 0.0}
    targets = signals.map(meaning).astype(float).reindex(prices.index)
    # Out of the market before the first signal and after the last one expires.
    renewals = None if config.holding_period is None else config.holding_period - 1
    position = (targets if renewals == 0 else targets.ffill(limit=renewals)).fillna(0.0).shift(1)
    idle = weight.isna().to_numpy()
    for name in ("flat", "carried", "suspect", "open_filled"):
        if name in prices:
            idle = idle | prices[name].to_numpy(dtype=bool)
    return position.mask(idle).ffill().fillna(0.0).to_numpy()


def _trade_table(dates: pd.Index, account: Account, config: BacktestConfig) -> pd.DataFrame:
    trades, costs = account.trades, config.costs
    slippage = trades.side * config.slippage
    cost_per_share = trades.entry_prices(costs) - trades.enter_at - trades.exit_prices(costs) + trades.leave_at
    return pd.DataFrame(
        {
            "entry_date": dates[trades.entry],
            "entry_price": trades.enter_at * (1 + slippage),
            "exit_date": dates[trades.exit].append(pd.DatetimeIndex([pd.NaT]))[: len(trades.entry)],
            "exit_price": np.where(trades.closed, trades.leave_at * (1 - slippage), np.nan),
            "quantity": account.quantity,
            "costs": account.quantity * cost_per_share,
            "pnl": account.quantity * (trades.exit_prices(costs) - trades.entry_prices(costs)),
        }
    )


def _stats(account: Account, trades: pd.DataFrame, year: int) -> dict[str, Any]:
    return (
        {"sessions": len(account.equity)}
        | performance(account.equity, year)
        | _trade_stats(trades)
        | _activity(account, trades, year)
        | {"break_even_cost": break_even_cost(account.trades)}
    )


def _trade_stats(trades: pd.DataFrame) -> dict[str, Any]:
    """Return figures of closed trades, and the number of `open_trades`."""
    pnl = trades.loc[trades["exit_date"].notna(), "pnl"].to_numpy()
    gains, losses = pnl[pnl > 0].sum(), -pnl[pnl < 0].sum()
    return {
        "trades": len(pnl),
        "open_trades": len(trades) - len(pnl),
        "hit_rate": finite((pnl > 0).mean()) if len(pnl) else None,
        "profit_factor": finite(gains / losses) if losses > 0 else None,
    }


def _activity(account: Account, trades: pd.DataFrame, year: int) -> dict[str, float | None]:
    """`exposure`: share of sessions long or short. `turnover`: bought plus sold value a year over the mean equity."""
    sessions = len(account.position) - 1
    value = (trades["quantity"].abs() * (trades["entry_price"] + trades["exit_price"].fillna(0.0))).sum()
    if sessions == 0:
        return {"exposure": None, "turnover": None}
    yearly = value / sessions * year
    exposure = (account.position[1:] != 0).mean()
    return {"exposure": finite(exposure), "turnover": finite(yearly / account.equity.mean())}
