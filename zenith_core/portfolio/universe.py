"""All tickers of a home on common rows: what joint draws of some of them need. numpy alone: serving uses it."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from zenith_core.arrays import Floats, Floats32
from zenith_core.errors import NotAvailable
from zenith_core.portfolio.correlation import DEPTH, SPAN, correlation, correlation_factors
from zenith_core.portfolio.draws import correlated_draws, factor_draws
from zenith_core.portfolio.marginals import with_marginal
from zenith_core.risk.forecast_distribution import ForecastDistribution

MAX_DENSE = 1_000  # tickers: the correlation matrix of more takes minutes, so they are drawn in factor form
SEED = 1
_STEP = 1e-3  # of a stored score
_NONE = -32_768  # a stored score where there is none


@dataclass(frozen=True)
class Universe:
    """The state of n tickers after their last sessions.

    days:        (rows,) of the scores, ISO, oldest first; the last one is the forecast origin
    tickers:     (n,)
    currencies:  (n,) main currency of the quotes
    ends:        (n,) day of the last close, ISO
    closes:      (n,) last close in the main currency
    versions:    (n,) data version of the prices
    scales:      (n,) standard deviation of the log return of a session, from closes; 0 if the price stands still
    scores:      (rows, n) standardized returns, NaN where there is none
    shrinkage:   of the correlation
    left_out:    the reason why a ticker with prices is none of `tickers`

    Raises ValueError if the parts do not fit together.
    """

    days: tuple[str, ...]
    tickers: tuple[str, ...]
    currencies: tuple[str, ...]
    ends: tuple[str, ...]
    closes: Floats
    versions: tuple[str, ...]
    scales: Floats
    scores: Floats
    shrinkage: float
    left_out: Mapping[str, str]

    def __post_init__(self) -> None:
        count = len(self.tickers)
        sizes = {len(part) for part in (self.currencies, self.ends, self.closes, self.versions, self.scales)}
        if sizes != {count} or self.scores.shape != (len(self.days), count) or not count or not self.days:
            raise ValueError(f"the parts of a universe of {count} tickers do not fit together")
        if not (np.isfinite(self.closes).all() and np.isfinite(self.scales).all() and 0 <= self.shrinkage <= 1):
            raise ValueError("closes, scales and shrinkage of a universe must be finite numbers")

    @property
    def as_of(self) -> str:
        """The forecast origin, ISO."""
        return self.days[-1]

    @cached_property
    def version(self) -> str:
        """A hash of the tickers and their data versions."""
        text = ",".join(f"{ticker}:{version}" for ticker, version in zip(self.tickers, self.versions, strict=True))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @cached_property
    def columns(self) -> Mapping[str, int]:
        """The column of each ticker."""
        return {ticker: column for column, ticker in enumerate(self.tickers)}

    def column(self, ticker: str) -> int:
        """Return the column of a ticker. Raises NotAvailable with the reason why there is none."""
        if ticker not in self.columns:
            raise NotAvailable(self.left_out.get(ticker, f"{ticker} is not in the forecast of all tickers yet"))
        return self.columns[ticker]

    def correlation(self, columns: Sequence[int]) -> Floats:
        """Return the correlation matrix of some tickers."""
        return correlation(self.scores[-DEPTH - SPAN :, list(columns)], self.shrinkage)

    def standard_draws(self, columns: Sequence[int], draws: int, seed: int = SEED) -> Floats32:
        """Draw returns of a standard deviation of 1 of some tickers: (draws, columns)."""
        if len(columns) <= MAX_DENSE:
            return correlated_draws(self.correlation(columns), draws, seed)
        return factor_draws(
            *correlation_factors(self.scores[-DEPTH - SPAN :, list(columns)], self.shrinkage), draws, seed
        )

    def scale(self, column: int, distribution: ForecastDistribution | None, horizon: int) -> float:
        """Return the standard deviation of a ticker's log return: of its distribution, else from closes."""
        if distribution is not None and self.scales[column] > 0:
            return float(distribution.scale[horizon - 1])
        return float(self.scales[column] * np.sqrt(horizon))

    def in_marginals(
        self,
        draws: Floats32,
        columns: Sequence[int],
        distributions: Mapping[str, ForecastDistribution],
        horizon: int,
    ) -> Floats32:
        """Return log returns (draws, columns) in the order of `draws`, each ticker with its own distribution.

        A ticker without a distribution has the scale from closes and the form of the draws.
        """
        log_returns = np.empty_like(draws, order="F")
        for number, column in enumerate(columns):
            distribution = distributions.get(self.tickers[column])
            if distribution is not None and self.scales[column] > 0:
                log_returns[:, number] = with_marginal(draws[:, number], distribution, horizon)
            else:
                log_returns[:, number] = draws[:, number] * self.scale(column, None, horizon)
        return log_returns

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready values, from which `from_json` restores the universe; scores to a thousandth."""
        steps = np.nan_to_num(np.clip(self.scores / _STEP, -32_767, 32_767), nan=_NONE).round().astype("<i2")
        return {
            "as_of": self.as_of,
            "version": self.version,
            "days": list(self.days),
            "tickers": list(self.tickers),
            "currencies": list(self.currencies),
            "ends": list(self.ends),
            "closes": self.closes.tolist(),
            "versions": list(self.versions),
            "scales": [float(f"{scale:.6g}") for scale in self.scales],
            "shrinkage": self.shrinkage,
            "left_out": dict(self.left_out),
            "scores": base64.b64encode(steps.tobytes()).decode(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Restore a universe from `to_json`. Raises KeyError, TypeError or ValueError on any other document."""
        texts = ("days", "tickers", "currencies", "ends", "versions")
        parts = {name: tuple(map(str, document[name])) for name in texts}
        steps = np.frombuffer(base64.b64decode(document["scores"]), dtype="<i2")
        scores = np.where(steps == _NONE, np.nan, steps * _STEP)
        return cls(
            **parts,
            closes=np.asarray(document["closes"], dtype=np.float64),
            scales=np.asarray(document["scales"], dtype=np.float64),
            scores=np.asfortranarray(scores.reshape(len(parts["days"]), len(parts["tickers"]))),  # read by ticker
            shrinkage=float(document["shrinkage"]),
            left_out=dict(document["left_out"]),
        )
