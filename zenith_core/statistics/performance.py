"""Performance statistics of an equity curve: small pure functions.

`equity` is (n,) account values at n consecutive session closes, finite, the first one positive, none negative.
Returns are simple daily returns, fractions; the risk-free rate is 0. A `year` is a number of sessions, 252 of stocks.
A statistic that the curve does not define (no spread, no loss, one session) is None, never NaN or infinity.
The tests hold them against quantstats; why that library does not compute them: docs/decisions/0010.
"""

import math

import numpy as np

from zenith_core.arrays import Floats

SESSIONS_PER_YEAR = 252


def finite(value: float) -> float | None:
    """Return the value as a plain float, or None if NaN or infinite, which JSON has no numbers for."""
    return float(value) if math.isfinite(value) else None


def performance(equity: Floats, year: int = SESSIONS_PER_YEAR) -> dict[str, float | int | None]:
    """Return all statistics of this module by name, ready for JSON. A `year` is so many sessions."""
    return {
        "total_return": total_return(equity),
        "annual_return": annual_return(equity, year),
        "volatility": volatility(equity, year),
        "sharpe": sharpe(equity, year),
        "sortino": sortino(equity, year),
        "calmar": calmar(equity, year),
        "max_drawdown": max_drawdown(equity),
        "max_drawdown_sessions": max_drawdown_sessions(equity),
    }


def total_return(equity: Floats) -> float | None:
    """Return the last value over the first, minus 1."""
    return finite(equity[-1] / equity[0] - 1)


def annual_return(equity: Floats, year: int = SESSIONS_PER_YEAR) -> float | None:
    """Return the constant yearly return that compounds to the total return."""
    years = (len(equity) - 1) / year
    if years == 0:
        return None
    with np.errstate(over="ignore"):
        return finite(np.power(equity[-1] / equity[0], 1 / years) - 1)


def volatility(equity: Floats, year: int = SESSIONS_PER_YEAR) -> float | None:
    """Return the standard deviation of daily returns (n - 1 in the denominator), a year."""
    returns = daily_returns(equity)
    return finite(returns.std(ddof=1) * year**0.5) if len(returns) > 1 else None


def sharpe(equity: Floats, year: int = SESSIONS_PER_YEAR) -> float | None:
    """Return mean over standard deviation of daily returns, a year. Sharpe (1994), The Sharpe Ratio."""
    returns = daily_returns(equity)
    return _annual_ratio(returns, float(returns.std(ddof=1)), year) if len(returns) > 1 else None


def sortino(equity: Floats, year: int = SESSIONS_PER_YEAR) -> float | None:
    """Return the mean daily return over the root mean square of the losses, a year. Sortino and Price (1994)."""
    returns = daily_returns(equity)
    losses = np.minimum(returns, 0)
    return _annual_ratio(returns, float(np.sqrt(np.mean(losses**2))), year) if len(returns) else None


def calmar(equity: Floats, year: int = SESSIONS_PER_YEAR) -> float | None:
    """Return the annual return over the depth of the deepest drawdown."""
    growth, depth = annual_return(equity, year), -max_drawdown(equity)
    return finite(growth / depth) if growth is not None and depth > 0 else None


def drawdown(equity: Floats) -> Floats:
    """Return the distance of each value from the highest so far: fractions <= 0, (n,)."""
    below: Floats = equity / np.maximum.accumulate(equity) - 1
    return below


def max_drawdown(equity: Floats) -> float:
    """Return the deepest drawdown, a fraction <= 0."""
    return float(drawdown(equity).min())


def max_drawdown_sessions(equity: Floats) -> int:
    """Return the longest stretch of consecutive sessions below an earlier peak, recovered or not."""
    under_water = drawdown(equity) < 0
    sessions = np.arange(len(equity))
    last_peak = np.maximum.accumulate(np.where(under_water, 0, sessions))
    return int((sessions - last_peak).max())


def daily_returns(equity: Floats) -> Floats:
    """Return simple returns from close to close, (n - 1,); 0 once everything is lost."""
    before = equity[:-1]
    return np.divide(equity[1:], before, out=np.ones_like(before), where=before > 0) - 1


def _annual_ratio(returns: Floats, spread: float, year: int) -> float | None:
    # A spread of rounding size counts as zero: equal returns differ in their last bits.
    return finite(returns.mean() / spread * year**0.5) if spread > 1e-12 else None
