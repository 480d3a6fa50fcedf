"""GARCH(1,1) with Student's t, and GJR with filtered historical simulation: the peers of a band. Pure functions.

The variance of a session is omega + news * (last shock)² + beta * (its variance), where news is `rise` after a shock
above 0 and `fall` after one below. In GARCH(1,1) both are equal.

Sources: Bollerslev (1987), A Conditionally Heteroskedastic Time Series Model for Speculative Prices and Rates of
Return; Glosten, Jagannathan and Runkle (1993), On the Relation between the Expected Value and the Volatility of the
Nominal Excess Return on Stocks; Barone-Adesi, Giannopoulos and Vosper (1999), VaR without Correlations for Portfolios
of Derivative Securities, for filtered simulation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from zenith_core.arrays import Floats, Ints

PATHS = 500  # of a simulation, from each origin

_MAX_PERSISTENCE = 0.995  # above, simulated paths have no bound
_LEAST_FREEDOM = 2.05  # a Student t has no variance at 2
_MAX_POINT = 20.0  # of a transformed parameter: its exponential stays finite
_LEAST_OMEGA = 0.01  # of the variance of the returns: a price that stands still would leave hardly any variance
_MAX_SHOCK = 10.0  # standard deviations of a drawn shock; the first move after a standstill is larger, and not another
_START = np.log([0.04, 0.04, 0.9]) - np.log(0.02)


@dataclass(frozen=True)
class Garch:
    """Parameters for returns in one unit.

    freedom:  degrees of freedom of Student's t
    start:    variance of the first session
    """

    mean: float
    omega: float
    rise: float
    fall: float
    beta: float
    freedom: float
    start: float

    @property
    def persistence(self) -> float:
        """Return the share of a variance that is left after a session, on average."""
        return (self.rise + self.fall) / 2 + self.beta

    def variances(self, returns: Floats) -> Floats:
        """Return the variance of each of `returns` (n,) and of the next one, (n + 1,)."""
        from scipy.signal import lfilter

        shocks = returns - self.mean
        news = self.omega + np.where(shocks > 0, self.rise, self.fall) * shocks**2
        after, _ = lfilter([1.0], [1.0, -self.beta], news, zi=[self.beta * self.start])
        return np.append(self.start, after)


def fit_garch(returns: Floats, *, is_symmetric: bool) -> Garch:
    """Return the most likely parameters of `returns` (n,): GARCH(1,1) if symmetric, else GJR."""
    from scipy.optimize import minimize
    from scipy.special import gammaln

    spread = float(returns.std())
    units = returns / spread

    def model_of(point: Floats) -> Garch:
        # A softmax: news of rises and falls, halved, and beta are positive and below 1 in all.
        weights = np.exp(np.append(np.repeat(point[2], 2) if is_symmetric else point[[2, 4]], [point[3], 0.0]))
        rise, fall, beta, _ = weights / weights.sum()
        freedom = _LEAST_FREEDOM + np.exp(point[1])
        omega = np.exp(point[-1])
        return Garch(float(point[0]), float(omega), float(2 * rise), float(2 * fall), float(beta), float(freedom), 1.0)

    def minus_log_likelihood(point: Floats) -> float:
        model = model_of(np.clip(point, -_MAX_POINT, _MAX_POINT))
        variances = model.variances(units)[:-1]
        freedom = model.freedom
        squares = (units - model.mean) ** 2 / (variances * (freedom - 2))
        constant = gammaln((freedom + 1) / 2) - gammaln(freedom / 2) - 0.5 * np.log(np.pi * (freedom - 2))
        return -float(np.mean(constant - 0.5 * np.log(variances) - (freedom + 1) / 2 * np.log1p(squares)))

    rise, fall, beta = _START
    start = np.array([0.0, np.log(4.0), rise, beta, *([] if is_symmetric else [fall]), np.log(0.02)])
    bounds = [*[(None, None)] * (len(start) - 1), (np.log(_LEAST_OMEGA), None)]
    best = minimize(minus_log_likelihood, start, method="SLSQP", bounds=bounds, options={"ftol": 1e-8}).x
    model = model_of(np.clip(best, -_MAX_POINT, _MAX_POINT))
    return replace(model, mean=model.mean * spread, omega=model.omega * spread**2, start=spread**2)


def garch_quantiles(
    model: Garch, returns: Floats, origins: Ints, horizons: Sequence[int], levels: Sequence[float]
) -> Floats:
    """Return quantiles (origins, horizons, levels) of the sum of the next returns after `origins` of `returns`.

    Student's t at one session; the sum over more is taken for normal. An origin is the number of returns before it.
    """
    from scipy.special import ndtri, stdtrit

    now = model.variances(returns)[origins, np.newaxis]
    steps, count = np.arange(max(horizons)), np.array(horizons)
    left = model.persistence**steps
    lasting = np.cumsum(left)[count - 1]  # of the variance now, in the sum over each horizon
    fresh = model.omega * np.cumsum(np.append(0.0, np.cumsum(left)[:-1]))[count - 1]
    deviation = np.sqrt(now * lasting + fresh)
    heavy = stdtrit(model.freedom, levels) * np.sqrt((model.freedom - 2) / model.freedom)
    shape = np.array([heavy if horizon == 1 else ndtri(levels) for horizon in horizons])
    quantiles: Floats = model.mean * count[:, np.newaxis] + deviation[..., np.newaxis] * shape
    return quantiles


def simulated_quantiles(
    model: Garch, returns: Floats, origins: Ints, horizons: Sequence[int], levels: Sequence[float]
) -> Floats:
    """Return the quantiles of `garch_quantiles` by filtered historical simulation: PATHS paths from each origin.

    The shocks are drawn from the standardized residuals before the first origin, with one seed. A persistence above
    its bound is shrunk.
    """
    past = returns[: int(origins.min())]
    residuals = np.clip(_residuals(model, past), -_MAX_SHOCK, _MAX_SHOCK)
    # Of the residuals as they are: with outliers their variance is above 1, and paths grow faster than the fit says.
    persistence = float(np.mean(np.where(residuals > 0, model.rise, model.fall) * residuals**2)) + model.beta
    shrink = _MAX_PERSISTENCE / max(_MAX_PERSISTENCE, persistence)
    stable = replace(model, rise=shrink * model.rise, fall=shrink * model.fall, beta=shrink * model.beta)
    draws = np.random.default_rng(1).choice(residuals, (max(horizons), len(origins), PATHS))
    variances = model.variances(returns)[origins]  # those that the residuals are measured by
    now, total = np.repeat(variances[:, np.newaxis], PATHS, axis=1), np.zeros((len(origins), PATHS))
    quantiles = []
    for step, shocks in enumerate(draws, start=1):
        shock = np.sqrt(now) * shocks
        total += stable.mean + shock
        now = stable.omega + np.where(shock > 0, stable.rise, stable.fall) * shock**2 + stable.beta * now
        if step in horizons:
            quantiles.append(np.quantile(total, levels, axis=1).T)
    return np.stack(quantiles, axis=1)


def _residuals(model: Garch, returns: Floats) -> Floats:
    residuals: Floats = (returns - model.mean) / np.sqrt(model.variances(returns)[:-1])
    return residuals
