"""What trading on signals would have returned, with costs, beside buying once and holding.

A signal is known at its session's close and filled at the next session's open. `buy` puts the whole capital into
the stock (fractions of shares, so the result does not depend on the level of adjusted prices), `sell` goes to cash,
`hold` and sessions without a signal keep what there is. Nothing is filled in a session without trade (`flat` or
`carried` in cleaned prices): the newest signal then waits for the next one.
Slippage moves the fill price against us, commission is a share of the filled value, both at each side.
A position open at the end is marked at the last close, without the costs of leaving it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zenith_core.errors import NonFiniteInput, TooShortHistory
from zenith_core.performance import SESSIONS_PER_YEAR, finite, performance

_POSITION = {"buy": 1.0, "hold": np.nan, "sell": 0.0}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BacktestConfig:
    """Starting capital in the prices' currency; commission and slippage as fractions of the value, per side."""

    capital: float = 100_000.0
    commission: float = 0.001
    slippage: float = 0.0005

    @property
    def round_trip_cost(self) -> float:
        """What buying and selling again costs, as a fraction of the value."""
        return 2 * (self.commission + self.slippage)


@dataclass(frozen=True)
class Backtest:
    """The outcome of a backtest.

    trades: entry_date, entry_price, exit_date, exit_price, quantity, costs, pnl; prices are fills, slippage included;
            `costs` is commission plus slippage in currency; `pnl` is net of them. A trade still open at the end
            has no exit_date (NaT) and no exit_price (NaN); its pnl is marked at the last close.
    equity: date, strategy, buy_and_hold: account values at the close, from the first signal's date on.
    stats:  {"strategy": {...}, "buy_and_hold": {...}}: `performance` and figures of the trades, ready for JSON.
    """

    trades: pd.DataFrame
    equity: pd.DataFrame
    stats: dict[str, Any]


@dataclass(frozen=True)
class _Account:
    """One strategy's account: `held` (n,) bool and `equity` (n,) by session, and its trades."""

    held: NDArray[np.bool_]
    equity: Floats
    trades: pd.DataFrame


def backtest(prices: pd.DataFrame, signals: pd.Series, config: BacktestConfig | None = None) -> Backtest:
    """Trade `signals` ("buy", "hold" or "sell" by date) on cleaned `prices` (open, close; flat and carried if there).

    Sessions before the first signal are left out; those after the last one are kept. Without any "buy" there are no
    trades, and statistics that need some are None.
    Raises TooShortHistory without signals, NonFiniteInput for unusable prices, ValueError for signals that are not
    one of the three or whose dates are not sessions.
    """
    config = config or BacktestConfig()
    prices = _tradable_prices(prices, signals)
    strategy = _trade(prices, signals, config)
    buy_and_hold = _trade(prices, pd.Series("buy", index=prices.index[:1]), config)
    equity = {"date": prices.index, "strategy": strategy.equity, "buy_and_hold": buy_and_hold.equity}
    stats = {"strategy": _stats(strategy), "buy_and_hold": _stats(buy_and_hold)}
    return Backtest(trades=strategy.trades, equity=pd.DataFrame(equity), stats=stats)


def forecast_signals(forecasts: pd.DataFrame, horizon: int = 5, threshold: float = 0.003) -> pd.Series:
    """Signals from walk-forward price forecasts: buy or sell where the expected return exceeds `threshold`, else hold.

    The default threshold is what a round trip costs at BacktestConfig's rates: a smaller move is not worth trading.
    Returns text by origin date. A ValueError names the horizons there are if `horizon` is not among them.
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
    unknown = sorted(set(signals.unique()) - set(_POSITION))
    if unknown or not signals.index.isin(prices.index).all():
        raise ValueError(f"signals must be buy, hold or sell on sessions of the prices; unknown: {unknown}")
    prices = prices.loc[signals.index.min() :]
    values = prices[["open", "close"]].to_numpy(dtype=float)
    if not (np.isfinite(values) & (values > 0)).all():
        raise NonFiniteInput("open and close must be finite and above 0 to trade on")
    return prices


def _trade(prices: pd.DataFrame, signals: pd.Series, config: BacktestConfig) -> _Account:
    held = _held(prices, signals)
    changes = np.diff(held.astype(int), prepend=0)
    entries, exits = np.flatnonzero(changes > 0), np.flatnonzero(changes < 0)
    opens, closes = (prices[name].to_numpy(dtype=float) for name in ("open", "close"))
    trades = pd.DataFrame(
        {
            "entry_date": prices.index[entries],
            "entry_price": opens[entries] * (1 + config.slippage),
            "exit_date": prices.index[exits].append(pd.DatetimeIndex([pd.NaT]))[: len(entries)],
            "exit_price": _padded(opens[exits], len(entries)) * (1 - config.slippage),
        }
    )
    paid = (trades["entry_price"] * (1 + config.commission)).to_numpy()  # a share, with all costs
    received = (trades["exit_price"] * (1 - config.commission)).to_numpy()
    cash = config.capital * np.cumprod(np.concatenate([[1.0], (received / paid)[: len(exits)]]))
    quantity = cash[: len(entries)] / paid
    leaving = np.nan_to_num(_padded(opens[exits], len(entries)) - received)
    trades["quantity"] = quantity
    trades["costs"] = quantity * (paid - opens[entries] + leaving)
    trades["pnl"] = quantity * (np.where(np.isnan(received), closes[-1], received) - paid)

    shares = np.append(quantity, 0.0)[np.cumsum(changes > 0) - 1]  # before the first trade: the 0 at the end
    equity = np.where(held, shares * closes, cash[np.cumsum(changes < 0)])
    return _Account(held=held, equity=equity, trades=trades)


def _held(prices: pd.DataFrame, signals: pd.Series) -> NDArray[np.bool_]:
    """Whether the stock is held through each session, from its open on. (n,)

    Nothing is filled in sessions without trading, nor at a price known to be wrong: that a price was wrong is seen a
    session later, but a fill at it would be a profit that nobody made.
    """
    wanted = signals.map(_POSITION).astype(float).reindex(prices.index).ffill().shift(1)
    for idle in ("flat", "carried", "suspect"):
        if idle in prices:
            wanted = wanted.mask(prices[idle].astype(bool))
    return wanted.ffill().fillna(0.0).to_numpy() > 0


def _padded(values: Floats, length: int) -> Floats:
    """`values`, with NaN for a trade that is still open."""
    return np.append(values, np.nan)[:length]


def _stats(account: _Account) -> dict[str, Any]:
    return (
        {"sessions": len(account.equity)}
        | performance(account.equity)
        | _trade_stats(account.trades)
        | _activity(account)
    )


def _trade_stats(trades: pd.DataFrame) -> dict[str, Any]:
    """Closed trades only, but for `open_trades`."""
    pnl = trades.loc[trades["exit_date"].notna(), "pnl"].to_numpy()
    gains, losses = pnl[pnl > 0].sum(), -pnl[pnl < 0].sum()
    return {
        "trades": len(pnl),
        "open_trades": len(trades) - len(pnl),
        "hit_rate": finite((pnl > 0).mean()) if len(pnl) else None,
        "profit_factor": finite(gains / losses) if losses > 0 else None,
    }


def _activity(account: _Account) -> dict[str, float | None]:
    """`exposure`: share of sessions in the stock. `turnover`: bought plus sold value a year over the mean equity."""
    trades, sessions = account.trades, len(account.held) - 1
    value = (trades["quantity"] * (trades["entry_price"] + trades["exit_price"].fillna(0.0))).sum()
    if sessions == 0:
        return {"exposure": None, "turnover": None}
    yearly = value / sessions * SESSIONS_PER_YEAR
    return {"exposure": finite(account.held[1:].mean()), "turnover": finite(yearly / account.equity.mean())}
