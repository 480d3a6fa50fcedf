"""The scale of log returns over 1 to 30 sessions, learned from all tickers together.

The mean of daily returns can hardly be forecast; their size can. For each horizon h

    E|r_h| = sqrt(2/pi) * EWMA volatility * sqrt(h) * exp(c_h . x)

with x = SCALE_INPUTS: range volatility over a day, a week, a month, a quarter and a year relative to the EWMA, and the
last returns. It is a heterogeneous autoregression (Corsi, 2009, A Simple Approximate Long-Memory Model of Realized
Volatility), fitted as a gamma regression with a log link (McCullagh and Nelder, 1989, chapter 8). One ticker's history
is too short for eleven coefficients a horizon; those of many tickers are nearly the same.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from zenith_core.arrays import Floats
from zenith_core.names import HORIZONS
from zenith_core.risk.price_moves import ANCHORS, SCALE_INPUTS, PriceMoves

RIDGE = 1e-2  # on all coefficients but the constant: towards the EWMA
MAX_TARGET = 8.0  # standardized; a halted stock's first move may be a thousand
MAX_EXPONENT = 2.0  # no input may change a scale by more than a factor of e^2
MAX_ROWS = 150_000  # of the pool; more are thinned out evenly
_ITERATIONS = 15


class Pool:
    """The rows of all tickers that coefficients are fitted to, thinned out evenly once there are twice MAX_ROWS.

    tickers:   the number of tickers with rows
    step:      every `step`-th row is in it
    data_end:  the last session of those tickers, None without rows
    """

    def __init__(
        self,
        histories: Iterable[PriceMoves] = (),
        until: np.datetime64 | None = None,
        since: np.datetime64 | None = None,
    ) -> None:
        """Collect the liquid rows of `histories` after `since`, with the moves that had ended on `until`."""
        self._until, self._since = until, since
        self.step, self.tickers = 1, 0
        self.data_end: np.datetime64 | None = None
        self._inputs: list[Floats] = []
        self._targets: list[Floats] = []
        self._markets: list[str] = []
        for moves in histories:
            self.add(moves)

    def add(self, moves: PriceMoves) -> None:
        """Add the rows of a ticker."""
        dates = moves.dates
        end = len(dates) if self._until is None else int(np.searchsorted(dates, self._until, side="right"))
        start = 0 if self._since is None else int(np.searchsorted(dates, self._since, side="right"))
        rows = (start + np.flatnonzero(moves.liquid[start:end]))[:: self.step]
        if not len(rows):
            return
        self.tickers += 1
        self.data_end = dates[end - 1] if self.data_end is None else max(self.data_end, dates[end - 1])
        scale = moves.volatility[rows, np.newaxis] * np.sqrt(ANCHORS)
        targets = moves.moves_until(end - 1)[:, rows] / scale
        self._markets.append(moves.market)
        self._inputs.append(moves.inputs[rows])
        self._targets.append(np.clip(targets, -MAX_TARGET, MAX_TARGET))
        if len(self) > 2 * MAX_ROWS:
            self.step *= 2
            self._inputs = [inputs[::2] for inputs in self._inputs]
            self._targets = [targets[:, ::2] for targets in self._targets]

    @property
    def inputs(self) -> Floats:
        """The inputs of all rows, (n, SCALE_INPUTS)."""
        return np.concatenate([np.empty((0, len(SCALE_INPUTS))), *self._inputs])

    @property
    def targets(self) -> Floats:
        """The standardized moves of all rows, clipped, NaN where not known: (3, n, ANCHORS)."""
        return np.concatenate([np.empty((3, 0, len(ANCHORS))), *self._targets], axis=1)

    @property
    def markets(self) -> NDArray[np.str_]:
        """The market of each row, (n,)."""
        return np.repeat(np.array(self._markets, dtype=np.str_), [len(inputs) for inputs in self._inputs])

    def __len__(self) -> int:
        """Return the number of rows."""
        return sum(len(inputs) for inputs in self._inputs)


def fit_coefficients(inputs: Floats, targets: Floats) -> Floats:
    """Fit coefficients (inputs, horizons) of `inputs` (n, inputs) to `targets` (n, horizons), NaN if not known.

    The constant is such that the mean square of target / stretch is 1, so that the scale is a standard deviation.
    Fisher scoring: the log link makes its weights 1, so that one matrix serves all steps and horizons.
    """
    is_known = np.isfinite(targets)
    count = is_known.sum(axis=0)
    size = np.where(is_known, np.abs(targets), 0.0) / np.sqrt(2 / np.pi)
    centre = np.append(0.0, inputs[:, 1:].mean(axis=0))  # so that the ridge does not pull on the constant
    x = inputs - centre
    coefficients = np.zeros((inputs.shape[1], targets.shape[1]))
    coefficients[0] = np.log(size.sum(axis=0) / count)
    penalty = np.diag([0.0, *[RIDGE] * (x.shape[1] - 1)])
    information = x.T @ x / len(x) + penalty
    for _ in range(_ITERATIONS):
        surprise = np.where(is_known, size / stretch(x, coefficients) - 1, 0.0)
        coefficients += np.linalg.solve(information, x.T @ surprise / count - penalty @ coefficients)
    squares = np.where(is_known, (targets / stretch(x, coefficients)) ** 2, 0.0)
    coefficients[0] += 0.5 * np.log(squares.sum(axis=0) / count) - centre[1:] @ coefficients[1:]
    return coefficients


def stretch(inputs: Floats, coefficients: Floats) -> Floats:
    """Return the factor of EWMA volatility * sqrt(h): (n, inputs), (inputs, horizons) → (n, horizons)."""
    return np.asarray(np.exp(np.clip(inputs @ coefficients, -MAX_EXPONENT, MAX_EXPONENT)), dtype=np.float64)


def every_horizon(values: Floats) -> Floats:
    """Interpolate values at ANCHORS, the first axis, to 1 … HORIZONS sessions, linearly in the log of the horizon."""
    position = np.interp(np.log(np.arange(1, HORIZONS + 1)), np.log(ANCHORS), np.arange(len(ANCHORS)))
    left = np.minimum(position.astype(int), len(ANCHORS) - 2)
    share = (position - left).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray((1 - share) * values[left] + share * values[left + 1], dtype=np.float64)
