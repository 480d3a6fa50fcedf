import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from zenith_core.risk.forecast_distribution import LEVELS, SERVED_LEVELS, TAILS, ForecastDistribution

HORIZONS = 30


def normal(**changes):
    standard = np.tile(norm.ppf(LEVELS), (HORIZONS, 1))
    tails = -norm.pdf(norm.ppf(TAILS)) / np.array(TAILS)
    values = {
        "scale_version": "3",
        "data_version": "d1",
        "scale": 0.0123456789 * np.sqrt(np.arange(1, HORIZONS + 1)),
        "levels": np.array(LEVELS),
        "quantiles": standard,
        "shortfalls": np.tile(tails, (HORIZONS, 1)),
        "highs": np.abs(standard).cumsum(axis=1),
        "lows": np.sort(-np.abs(standard), axis=1),
    }
    return ForecastDistribution(**{**values, **changes})


def test_the_stored_levels_hold_the_served_ones_and_are_symmetric():
    assert set(SERVED_LEVELS) <= set(LEVELS)
    assert set(TAILS) <= set(LEVELS)
    np.testing.assert_allclose(np.array(LEVELS) + np.array(LEVELS[::-1]), 1)


def test_it_survives_json_to_a_ten_thousandth_of_its_scale():
    distribution = normal()
    copy = ForecastDistribution.from_dict(json.loads(json.dumps(distribution.to_dict())))

    assert (copy.scale_version, copy.data_version, copy.horizons) == ("3", "d1", HORIZONS)
    np.testing.assert_allclose(copy.scale, distribution.scale, rtol=1e-5)
    for name in ("levels", "quantiles", "shortfalls", "highs", "lows"):
        np.testing.assert_allclose(getattr(copy, name), getattr(distribution, name), atol=6e-5)
    assert copy.to_dict() == distribution.to_dict()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"scale": np.ones(HORIZONS - 1)}, "quantiles"),
        ({"scale": np.append(np.ones(HORIZONS - 1), 0.0)}, "positive"),
        ({"scale": np.append(np.ones(HORIZONS - 1), np.nan)}, "finite"),
        ({"scale": np.ones(0), **{name: np.ones((0, len(LEVELS))) for name in ("quantiles", "highs", "lows")},
          "shortfalls": np.ones((0, 3))}, "one horizon or more"),
        ({"shortfalls": np.ones((HORIZONS, 2))}, "shortfalls"),
        ({"levels": np.array(LEVELS)[::-1]}, "increase"),
        ({"levels": np.array(LEVELS) - LEVELS[0]}, "increase between 0 and 1"),
        ({"levels": np.array(LEVELS) + 1e-6}, "must contain"),
        ({"quantiles": -normal().quantiles}, "quantiles of a distribution must not decrease"),
        ({"highs": -normal().highs}, "highs of a distribution must not decrease"),
        ({"lows": -normal().lows}, "lows of a distribution must not decrease"),
    ],
)  # fmt: skip
def test_a_distribution_that_is_none_is_refused(changes, reason):
    with pytest.raises(ValueError, match=reason):
        replace(normal(), **changes)


def test_a_document_that_lacks_a_part_is_refused():
    document = normal().to_dict()
    del document["lows"]

    with pytest.raises(KeyError):
        ForecastDistribution.from_dict(document)
