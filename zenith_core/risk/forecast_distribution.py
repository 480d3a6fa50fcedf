"""The distribution of a ticker's log returns over 1 to H sessions: a scale times quantiles of standardized errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from zenith_core.arrays import Floats

SERVED_LEVELS = (0.01, 0.025, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.975, 0.99)
"""The levels that answers show."""

_LOWER = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45)
LEVELS = (*_LOWER, 0.5, *(round(1 - level, 4) for level in reversed(_LOWER)))
"""The levels that are stored: SERVED_LEVELS, and finer ones to interpolate between."""

TAILS = (0.01, 0.025, 0.05)
"""The lower tails with an expected shortfall."""

_DIGITS = 4  # decimals of standardized numbers: a ten-thousandth of the scale
_SCALE_DIGITS = 6  # significant digits of a scale


@dataclass(frozen=True)
class ForecastDistribution:
    """Distribution of the log return from one forecast origin over 1 to H sessions.

    scale_version:  registered version of the scale model, or "prior-YYYY"
    data_version:   of the cleaned prices behind it
    scale:          (H,) standard deviation of the log return over h sessions, a fraction
    levels:         (K,) increasing probabilities, SERVED_LEVELS among them
    quantiles:      (H, K) of log return / scale
    shortfalls:     (H, 3) mean log return / scale below the quantile of each of TAILS
    highs:          (H, K) quantiles of log(highest high of the next h sessions / last close) / scale
    lows:           (H, K) the same of the lowest low

    Raises ValueError if a shape, an order or a number is not as stated.
    """

    scale_version: str
    data_version: str
    scale: Floats
    levels: Floats
    quantiles: Floats
    shortfalls: Floats
    highs: Floats
    lows: Floats

    def __post_init__(self) -> None:
        horizons, count = len(self.scale), len(self.levels)
        shapes = {
            "scale": (horizons,),
            "levels": (count,),
            "quantiles": (horizons, count),
            "shortfalls": (horizons, len(TAILS)),
            "highs": (horizons, count),
            "lows": (horizons, count),
        }
        for name, shape in shapes.items():
            values = getattr(self, name)
            if values.shape != shape or not np.isfinite(values).all():
                raise ValueError(f"{name} of a distribution must be {shape} finite numbers, not {values.shape}")
        if not horizons or self.scale.min() <= 0:
            raise ValueError("the scale of a distribution must be positive at one horizon or more")
        if (np.diff(self.levels) <= 0).any() or self.levels[0] <= 0 or self.levels[-1] >= 1:
            raise ValueError("levels of a distribution must increase between 0 and 1")
        if not np.isin(SERVED_LEVELS, self.levels).all():
            raise ValueError(f"levels of a distribution must contain {SERVED_LEVELS}")
        for name in ("quantiles", "highs", "lows"):
            if (np.diff(getattr(self, name)) < 0).any():
                raise ValueError(f"{name} of a distribution must not decrease with the level")

    @property
    def horizons(self) -> int:
        """Return H, the longest horizon in sessions."""
        return len(self.scale)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values: plain lists, rounded to what matters."""
        parts = ("quantiles", "shortfalls", "highs", "lows")
        return {
            "scale_version": self.scale_version,
            "data_version": self.data_version,
            "scale": [float(f"{value:.{_SCALE_DIGITS}g}") for value in self.scale],
            "levels": self.levels.tolist(),
            **{name: np.round(getattr(self, name), _DIGITS).tolist() for name in parts},
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Restore a distribution from `to_dict`. Raises KeyError, TypeError or ValueError on any other document."""
        arrays = ("scale", "levels", "quantiles", "shortfalls", "highs", "lows")
        return cls(
            scale_version=str(document["scale_version"]),
            data_version=str(document["data_version"]),
            **{name: np.asarray(document[name], dtype=np.float64) for name in arrays},
        )
