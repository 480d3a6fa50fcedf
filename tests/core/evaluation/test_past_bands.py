"""The bands of past forecasts: those that serving would have shown, by a scale that was learned before."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.core.scale_pools import pool, swinging_prices
from zenith_core.evaluation.past_bands import BAND_COLUMNS, in_past_bands
from zenith_core.risk.forecast_distribution import SERVED_LEVELS
from zenith_core.risk.price_moves import price_moves
from zenith_core.risk.scale_model import fit_scale_model, forecast_distribution
from zenith_core.risk.value_at_risk import price_quantiles

SESSIONS = 420


@pytest.fixture(scope="module")
def model():
    return replace(fit_scale_model(pool(), "prior-2015"), data_end="2015-12-31")


@pytest.fixture(scope="module")
def prices():
    return swinging_prices(99, SESSIONS)


def table_of(prices, rows, horizons):
    origins = np.repeat(rows, len(horizons))
    close = prices["close"].to_numpy()[origins]
    columns = {"origin": prices.index[origins], "horizon": np.tile(horizons, len(rows)), "close": close}
    own = {"forecast": close, "lower": close * 0.5, "upper": close * 1.5, "q05": close * 0.5, "q95": close * 1.5}
    return pd.DataFrame({**columns, **own})


@pytest.mark.parametrize("horizons", [range(1, 31), [5]])
def test_each_row_has_the_quantiles_that_were_served_that_day(model, prices, horizons):
    row = 400
    today = forecast_distribution(model, price_moves(prices.iloc[: row + 1]), "data")
    expected = price_quantiles(today, SERVED_LEVELS, prices["close"].iloc[row])

    table = in_past_bands(table_of(prices, [390, row], horizons), prices, [model])

    last = table[table["origin"] == prices.index[row]]
    np.testing.assert_allclose(last[list(BAND_COLUMNS)], expected[[horizon - 1 for horizon in horizons]], rtol=1e-9)
    assert (last["lower"] == last["q05"]).all() and (last["upper"] == last["q95"]).all()
    assert set(table["scale_version"]) == {"prior-2015"}


def test_without_a_distribution_a_row_keeps_the_bands_of_its_model(model, prices):
    still = prices.copy()
    still.loc[still.index[330] :, ["open", "high", "low", "close"]] = float(still["close"].iloc[330])
    early = prices.index.get_loc("2015-12-31") - 5  # no scale is so old
    elsewhere = table_of(prices, [SESSIONS - 1], [5]).assign(origin=pd.Timestamp("2030-01-02"))
    table = pd.concat([table_of(still, [early, SESSIONS - 1], [5]), elsewhere], ignore_index=True)

    served = in_past_bands(table, still, [model])

    assert set(served["scale_version"]) == {"none"}
    pd.testing.assert_frame_equal(served[["lower", "upper"]], table[["lower", "upper"]])
    assert served["q01"].isna().all() and (served["q05"] == table["q05"]).all()


def test_the_columns_name_their_levels():
    assert BAND_COLUMNS == ("q01", "q02_5", "q05", "q10", "q25", "q50", "q75", "q90", "q95", "q97_5", "q99")
