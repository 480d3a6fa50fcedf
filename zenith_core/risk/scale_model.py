"""The scale model of all tickers: coefficients and error quantiles, and the distribution that it gives one ticker."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from zenith_core.arrays import Floats
from zenith_core.errors import NotAvailable, TrainingError
from zenith_core.names import HORIZONS
from zenith_core.risk.error_quantiles import ErrorQuantiles, blend, error_quantiles
from zenith_core.risk.forecast_distribution import LEVELS, TAILS, ForecastDistribution
from zenith_core.risk.pooled_scale import Pool, every_horizon, fit_coefficients, stretch
from zenith_core.risk.price_moves import ANCHORS, SCALE_INPUTS, WARM_UP, PriceMoves
from zenith_core.words import counted

LEAST_ROWS = 5_000  # of a pool; about five tickers of five years
LEAST_TICKERS = 5

_DIGITS = 5


@dataclass(frozen=True)
class ScaleModel:
    """Coefficients and error quantiles; no price.

    version:       registered version, or "prior-YYYY"
    data_end:      last session of the pool, ISO; nothing in the model is later
    tickers, rows: the size of the pool
    coefficients:  (SCALE_INPUTS, ANCHORS)
    others:        quantiles of the pool's standardized moves at ANCHORS
    """

    version: str
    data_end: str
    tickers: int
    rows: int
    coefficients: Floats
    others: ErrorQuantiles

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, rounded, with the names of inputs, levels and horizons."""
        return {
            "version": self.version,
            "data_end": self.data_end,
            "tickers": self.tickers,
            "rows": self.rows,
            "inputs": list(SCALE_INPUTS),
            "horizons": list(ANCHORS),
            "levels": list(LEVELS),
            "tails": list(TAILS),
            "coefficients": self.coefficients.round(_DIGITS).tolist(),
            "quantiles": self.others.moves.round(_DIGITS - 1).tolist(),
            "shortfalls": self.others.shortfalls.round(_DIGITS - 1).tolist(),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Restore a model from `to_dict`.

        Raises NotAvailable if it was made for other inputs, horizons or levels than this code has.
        """
        declaration = {"inputs": SCALE_INPUTS, "horizons": ANCHORS, "levels": LEVELS, "tails": TAILS}
        others = [name for name, values in declaration.items() if list(document[name]) != list(values)]
        if others:
            raise NotAvailable(f"scale model {document['version']} has other {', '.join(others)} than this release")
        return cls(
            version=str(document["version"]),
            data_end=str(document["data_end"]),
            tickers=int(document["tickers"]),
            rows=int(document["rows"]),
            coefficients=np.asarray(document["coefficients"], dtype=np.float64),
            others=ErrorQuantiles(
                np.asarray(document["quantiles"], dtype=np.float64),
                np.asarray(document["shortfalls"], dtype=np.float64),
            ),
        )

    def scales(self, moves: PriceMoves) -> Floats:
        """Return the standard deviation of the log return over each of ANCHORS from each session: (n, ANCHORS)."""
        roots = np.sqrt(ANCHORS)
        return moves.volatility[:, np.newaxis] * roots * stretch(moves.inputs, self.coefficients)

    def quantiles_at(self, moves: PriceMoves, row: int) -> ErrorQuantiles:
        """Return the quantiles known at the close of session `row`, of the ticker's own errors and the others'."""
        past = np.flatnonzero(moves.sound[: row + 1])
        errors = moves.moves_until(row)[:, past] / self.scales(moves)[past]
        return blend(errors, (row - past).astype(np.float64), self.others)


def fit_scale_model(pool: Pool, version: str) -> ScaleModel:
    """Fit coefficients and error quantiles to a pool. Raises TrainingError for too small a one."""
    if pool.tickers < LEAST_TICKERS or len(pool) * pool.step < LEAST_ROWS:
        sessions = counted(len(pool) * pool.step, "liquid session")
        raise TrainingError(
            f"{sessions} of {counted(pool.tickers, 'ticker')} are too few for a scale: "
            f"at least {LEAST_ROWS} of {LEAST_TICKERS} are needed"
        )
    inputs, targets = pool.inputs, pool.targets
    coefficients = fit_coefficients(inputs, targets[0])
    return ScaleModel(
        version=version,
        data_end=str(np.datetime_as_string(np.datetime64(pool.data_end), unit="D")),
        tickers=pool.tickers,
        rows=len(pool),
        coefficients=coefficients,
        others=error_quantiles(targets / stretch(inputs, coefficients)),
    )


def forecast_distribution(model: ScaleModel, moves: PriceMoves, data_version: str) -> ForecastDistribution:
    """Return the distribution after the last session of `moves`.

    Raises NotAvailable with the reason if there is none: too short a history, or a price that stands still.
    """
    if len(moves) < WARM_UP:
        raise NotAvailable(f"too few sessions for a distribution: {len(moves)}, at least {WARM_UP} are needed")
    if not moves.sound[-1]:
        raise NotAvailable("the price stands still: the size of its next move cannot be told")
    last = len(moves) - 1
    quantiles = model.quantiles_at(moves, last)
    factor = every_horizon(np.log(stretch(moves.inputs[-1:], model.coefficients)[0]))
    returns, highs, lows = (every_horizon(kind) for kind in quantiles.moves)
    return ForecastDistribution(
        scale_version=model.version,
        data_version=data_version,
        scale=moves.volatility[last] * np.sqrt(np.arange(1, HORIZONS + 1)) * np.exp(factor),
        levels=np.array(LEVELS),
        quantiles=returns,
        shortfalls=every_horizon(quantiles.shortfalls),
        highs=highs,
        lows=lows,
    )
