"""The exported table: `actual` has trusted closes only, and each quantile lies at its offset."""

import numpy as np
import pandas as pd
import pytest

from zenith_core.evaluation.probability_scores import QUANTILE_COLUMNS
from zenith_core.features.targets import root_horizons
from zenith_pipelines.models.forecast_table import forecast_table
from zenith_pipelines.models.training_inputs import ModelInputs

SESSIONS, HORIZONS = 8, 3
ROWS = np.array([2, 4, 6])


@pytest.fixture
def inputs():
    return ModelInputs(
        index=pd.bdate_range("2024-01-01", periods=SESSIONS, name="date"),
        columns=("a",),
        values=np.zeros((SESSIONS, 1), dtype=np.float32),
        close=100.0 + np.arange(SESSIONS),
        volatility=np.linspace(0.01, 0.03, SESSIONS),
        origins=np.arange(2, SESSIONS),
    )


def make_table(inputs, actual_close=None):
    random = np.random.default_rng(0)
    scores = random.normal(size=(3, HORIZONS))
    offsets = np.sort(random.normal(size=(3, HORIZONS, 7)))
    return scores, offsets, forecast_table(inputs, ROWS, scores, offsets, actual_close=actual_close)


def test_each_quantile_is_the_forecast_plus_its_offset(inputs):
    scores, offsets, table = make_table(inputs)

    deviation = (inputs.volatility[ROWS, np.newaxis] * root_horizons(HORIZONS)).ravel()
    np.testing.assert_allclose(np.log(table["forecast"] / table["close"]), scores.ravel() * deviation)
    for level, name in enumerate(QUANTILE_COLUMNS):
        offset = np.log(table[name] / table["forecast"])
        np.testing.assert_allclose(offset, offsets[..., level].ravel() * deviation, err_msg=name)


def test_forecasts_to_or_from_a_suspect_close_have_no_actual(inputs):
    actual_close = inputs.close.copy()
    actual_close[5] = np.nan

    table = make_table(inputs, actual_close)[2].set_index(["origin", "horizon"])["actual"]

    day = inputs.index
    assert table[day[2]].tolist()[:2] == [103, 104]
    assert np.isnan(table[day[2], 3])
    assert np.isnan(table[day[4], 1])
    assert table[day[4]].tolist()[1:] == [106, 107]
    assert table[day[6]].isna().tolist() == [False, True, True]


def test_by_default_all_closes_are_trusted(inputs):
    actual = make_table(inputs)[2]["actual"]

    np.testing.assert_array_equal(actual, [103, 104, 105, 105, 106, 107, 107, np.nan, np.nan])
