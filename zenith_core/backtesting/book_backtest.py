"""Paper trading of simple books of many tickers: weights once a week, filled at the next open, after costs.

Books are long only and always invested. Weights use nothing later than the close of the week's last session.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.arrays import Bools, Floats
from zenith_core.portfolio.correlation import correlation
from zenith_core.portfolio.standardized import shrinkage, standardized
from zenith_core.statistics.performance import performance
from zenith_core.statistics.sharpe import sharpe_evidence

FIRST = 250  # sessions of returns that a ticker needs before it is held
REACH = 1_500  # sessions that a method sees
HALF_LIFE = 60  # sessions, of the variances
FEWEST = 2  # tickers
SESSIONS_PER_YEAR = 252
BASELINE = "equal_weight"


def equal_weight(returns: Floats) -> Floats:
    """Return the same weight for each ticker of `returns` (rows, n), the log returns up to the decision."""
    return np.full(returns.shape[1], 1 / returns.shape[1])


def inverse_volatility(returns: Floats) -> Floats:
    """Return weights in proportion to 1 / volatility; nothing in a ticker that stands still."""
    scale = _scale(returns)
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    return inverse / inverse.sum() if inverse.any() else equal_weight(returns)


def minimum_variance(returns: Floats) -> Floats:
    """Return the long-only weights of the least variance; nothing in a ticker that stands still."""
    scale, weights = _scale(returns), np.zeros(returns.shape[1])
    moving = scale > 0
    if not moving.any():
        return equal_weight(returns)
    scores = standardized(returns[:, moving])
    covariance = correlation(scores, shrinkage(scores)) * np.outer(scale[moving], scale[moving])
    weights[moving] = least_variance(covariance)
    return weights


def least_variance(covariance: Floats) -> Floats:
    """Return the weights w >= 0 with the sum 1 of the least w' covariance w, for a positive definite matrix.

    Non-negative least squares of the root of the matrix, with the sum as one more row: whatever the weight of that row,
    the best direction is the same, because along a direction the variance and the miss of the sum have one optimum.
    """
    from scipy.optimize import nnls

    size = float(np.sqrt(np.trace(covariance) / len(covariance)))
    rows = np.vstack([np.linalg.cholesky(covariance).T / size, np.ones(len(covariance))])
    weights, _ = nnls(rows, np.append(np.zeros(len(covariance)), 1.0))
    total: Floats = weights / weights.sum()
    return total


METHODS: Mapping[str, Callable[[Floats], Floats]] = {
    BASELINE: equal_weight,
    "inverse_volatility": inverse_volatility,
    "minimum_variance": minimum_variance,
}


@dataclass(frozen=True)
class BookBacktest:
    """The equity of each method after costs (session × method), from 1, and its statistics by method.

    stats: `performance`, the Sharpe ratio's interval, deflated over all trials, its excess over equal weight, and
           `turnover`, the value traded in a year as a multiple of the book
    """

    equity: pd.DataFrame
    stats: Mapping[str, Mapping[str, Any]]


def backtest_books(
    opens: pd.DataFrame, closes: pd.DataFrame, cost: Floats, earlier: Sequence[float] = ()
) -> BookBacktest:
    """Backtest all methods on adjusted prices (session × ticker) on common sessions.

    cost:    (tickers,) commission and slippage, a share of the value traded
    earlier: annual Sharpe ratios of trials before, which count in the deflation too

    Raises ValueError if fewer than FEWEST tickers have enough history for a week of trading.
    """
    close, start = closes.to_numpy(dtype=np.float64), _first_week(closes)
    if start is None:
        raise ValueError(f"fewer than {FEWEST} tickers have {FIRST} returns and a week of trading after them")
    returns = np.diff(np.log(close), axis=0, prepend=np.nan)
    entry = opens.to_numpy(dtype=np.float64)
    weeks = [row for row in _week_ends(closes.index) if start <= row < len(close) - 1]
    curves, turnovers = {}, {}
    for name, method in METHODS.items():
        targets = {
            row + 1: _target(returns[max(row - REACH, 0) + 1 : row + 1], close[row], entry[row + 1], method)
            for row in weeks
        }
        curves[name], turnovers[name] = _trade(targets, entry, close, cost, weeks[0])
    equity = pd.DataFrame(curves, closes.index[weeks[0] :])
    return BookBacktest(equity, _stats(equity, turnovers, earlier))


def _week_ends(sessions: pd.Index) -> list[int]:
    """Return the rows of the last session of each week."""
    week = pd.DatetimeIndex(sessions).to_period("W")
    return np.flatnonzero(week[1:] != week[:-1]).tolist()


def _first_week(closes: pd.DataFrame) -> int | None:
    """Return the first row on which FEWEST tickers have FIRST returns."""
    enough = (closes.notna().cumsum() > FIRST).sum(axis=1).to_numpy() >= FEWEST
    rows = np.flatnonzero(enough)
    return int(rows[0]) if len(rows) and any(row >= rows[0] for row in _week_ends(closes.index)[:-1]) else None


def _target(returns: Floats, close: Floats, entry: Floats, method: Callable[[Floats], Floats]) -> Floats:
    """Return the weights of all tickers: only those with history, a price and an open to trade at are held."""
    held: Bools = (np.isfinite(returns).sum(axis=0) >= FIRST) & np.isfinite(close) & np.isfinite(entry)
    weights = np.zeros(len(close))
    if held.any():
        weights[held] = method(returns[:, held])
    return weights


def _trade(
    targets: Mapping[int, Floats], entry: Floats, close: Floats, cost: Floats, start: int
) -> tuple[Floats, float]:
    """Return the equity at each close from `start`, and the value traded a year over that of the book."""
    shares, cash, traded = np.zeros(close.shape[1]), 1.0, 0.0
    last = np.nan_to_num(close[start])
    equity = []
    for row in range(start, len(close)):
        if row in targets:
            price = np.where(np.isfinite(entry[row]), entry[row], last)
            value = shares * price
            total = float(value.sum() + cash)
            orders = np.abs(targets[row] * total - value)
            paid = float(orders @ cost)
            goal = targets[row] * (total - paid)
            shares = np.divide(goal, price, out=np.zeros_like(goal), where=price > 0)
            cash = total - paid - float(goal.sum())
            traded += float(orders.sum()) / total
        last = np.where(np.isfinite(close[row]), close[row], last)
        equity.append(float(shares @ last) + cash)
    return np.array(equity), traded / max(len(equity) - 1, 1) * SESSIONS_PER_YEAR


def _stats(equity: pd.DataFrame, turnovers: Mapping[str, float], earlier: Sequence[float]) -> dict[str, dict[str, Any]]:
    figures = {name: performance(equity[name].to_numpy(), SESSIONS_PER_YEAR) for name in equity}
    own = (float(each["sharpe"]) for each in figures.values() if each["sharpe"] is not None)
    trials = sorted([*earlier, *own])
    baseline = equity[BASELINE].to_numpy()
    stats = {}
    for name in METHODS:
        evidence = sharpe_evidence(equity[name].to_numpy(), baseline, trials=trials, year=SESSIONS_PER_YEAR)
        figures_of_sharpe = evidence["buy_and_hold" if name == BASELINE else "strategy"]
        stats[name] = {**figures[name], **figures_of_sharpe, "turnover": turnovers[name]}
    return stats


def _scale(returns: Floats) -> Floats:
    """Return the exponentially weighted volatility of each ticker, 0 if it stood still."""
    variance = pd.DataFrame(returns**2).ewm(halflife=HALF_LIFE).mean().to_numpy()[-1]
    still = (np.nan_to_num(returns[-20:]) == 0).all(axis=0)
    scale: Floats = np.where(still, 0.0, np.sqrt(np.nan_to_num(variance)))
    return scale
