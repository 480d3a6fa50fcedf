"""The scale of returns from closes alone: a regression of log variance, pooled over all tickers.

Inputs are the recent, the usual and the long-run variance, and the variance of the same weeks one to four quarters ago:
companies report once a quarter, and the move of that day is most of what makes one month of a share unlike the next.
In the recent variance single days are capped, so a report that is over does not count as unrest.
Source of the form: Corsi (2009), A Simple Approximate Long-Memory Model of Realized Volatility.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from zenith_core.arrays import Bools, Floats

CAP = 9.0  # a squared return counts at most nine times the variance before it: three standard deviations
RECENT, USUAL, YEAR, LONG = 10, 60, 250, 750  # half-lives in sessions
QUARTERS = (63, 126, 189, 252)  # sessions
DAMPING = 0.3  # added to the ratio of those weeks' variance to the year's, so that quiet weeks count little
FEWEST = 10  # sessions: a variance over fewer is mostly noise, so shorter horizons take the one over these
EVERY = 5  # sessions between the origins of the regression
POOLED = 20  # sessions: a listing this young is half like the average ticker
PRIOR = np.array([0.3, 0.3, 0.3, 0.0, 0.0, 0.0, 0.0])  # coefficients before any data
PRIOR_ORIGINS = 5  # the prior weighs as much as this many origins with all tickers
FLOOR = 1e-10  # variance of a session: moves of a thousandth of a percent


def close_scale(returns: Floats, horizon: int) -> Floats:
    """Return the standard deviation of the log return over the next `horizon` sessions: (tickers,).

    `returns` are of single sessions, (rows, tickers), oldest first, NaN where a ticker has none. 0 for a ticker whose
    price stood still for as long, at least FEWEST sessions, NaN for one without returns.
    """
    squares = np.square(returns)
    weeks = max(horizon, FEWEST)
    origins = list(range(YEAR, len(returns) - weeks, EVERY))
    inputs, ahead = _inputs(squares, weeks, [*origins, len(returns) - 1]), _mean_ahead(squares, weeks)[origins]
    pairs = [_complete(at, np.log(np.maximum(mean, FLOOR))) for at, mean in zip(inputs, ahead, strict=False)]
    coefficients = _pooled(pairs)
    variance = np.full(returns.shape[1], np.nan)
    present = np.isfinite(inputs[-1]).all(axis=1)
    if present.any():
        variance[present] = np.exp(_log_variance(inputs[-1][present], coefficients)) * _level(pairs, coefficients)
    still = present & (np.nan_to_num(returns[-weeks:]) == 0).all(axis=0)
    scale: Floats = np.where(still, 0.0, np.sqrt(variance * horizon))
    return scale


def _inputs(squares: Floats, horizon: int, rows: Sequence[int]) -> Floats:
    """Return the inputs at some rows, from these and earlier ones: (rows, tickers, 7), NaN before the first return."""
    usual = _weighted_mean(squares, USUAL)
    limit = CAP * np.vstack([np.full((1, squares.shape[1]), np.inf), usual[:-1]])
    calm = np.where(np.isfinite(squares), np.fmin(squares, limit), np.nan)
    count = np.isfinite(squares).cumsum(axis=0)[rows]
    variances = (_weighted_mean(calm, RECENT), _weighted_mean(calm, USUAL), _weighted_mean(squares, LONG))
    columns = [_toward_the_average(np.log(np.maximum(each[rows], FLOOR)), count) for each in variances]
    year = np.maximum(_weighted_mean(squares, YEAR)[rows], FLOOR)
    ahead = _mean_ahead(squares, horizon)
    for lag in QUARTERS:
        weeks = np.full_like(squares, np.nan)
        weeks[lag:] = ahead[:-lag]
        columns.append(np.nan_to_num(np.log((weeks[rows] / year + DAMPING) / (1 + DAMPING))))
    return np.stack(columns, axis=-1)


def _weighted_mean(values: Floats, half_life: int) -> Floats:
    """Return the exponentially weighted mean of each column up to each row, NaN left out."""
    means: Floats = pd.DataFrame(values).ewm(halflife=half_life).mean().to_numpy()
    return means


def _mean_ahead(values: Floats, horizon: int) -> Floats:
    """Return the mean of the `horizon` values after each row, NaN where they are not all there."""
    means: Floats = pd.DataFrame(values).rolling(horizon).mean().shift(-horizon).to_numpy()
    return means


def _toward_the_average(values: Floats, count: Floats) -> Floats:
    """Move `values` (rows, tickers) of listings with few returns toward the mean over all tickers."""
    weight = count / (count + POOLED)
    finite = np.isfinite(values)
    average = np.where(finite, values, 0.0).sum(axis=1) / np.maximum(finite.sum(axis=1), 1)
    blend: Floats = weight * values + (1 - weight) * average[:, np.newaxis]
    return blend


def _complete(inputs: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Keep the tickers with inputs and target."""
    both: Bools = np.isfinite(inputs).all(axis=1) & np.isfinite(target)
    return inputs[both], target[both]


def _pooled(pairs: list[tuple[Floats, Floats]]) -> Floats:
    """Fit one set of coefficients to all tickers and origins, each origin about its own mean, drawn to the prior."""
    squares, products = np.zeros((len(PRIOR), len(PRIOR))), np.zeros(len(PRIOR))
    for inputs, target in pairs:
        if len(inputs):
            centred = inputs - inputs.mean(axis=0)
            squares += centred.T @ centred
            products += centred.T @ (target - target.mean())
    spread = np.trace(squares) / max(len(pairs), 1) / len(PRIOR)  # of an input at one origin
    ridge = PRIOR_ORIGINS * spread if spread > 0 else 1.0
    coefficients: Floats = np.linalg.solve(squares + ridge * np.eye(len(PRIOR)), products + ridge * PRIOR)
    return coefficients


def _log_variance(inputs: Floats, coefficients: Floats) -> Floats:
    """Return the log variance of a session for each ticker: (tickers,)."""
    average = inputs.mean(axis=0)
    forecast: Floats = average[1] + (inputs - average) @ coefficients
    return forecast


def _level(pairs: list[tuple[Floats, Floats]], coefficients: Floats) -> float:
    """Return the mean ratio of the variance that came to the forecast, each at most CAP.

    The mean of logs is below the log of means.
    """
    ratios = [np.exp(target - _log_variance(inputs, coefficients)) for inputs, target in pairs if len(inputs)]
    return float(np.minimum(np.concatenate(ratios), CAP).mean()) if ratios else 1.0
