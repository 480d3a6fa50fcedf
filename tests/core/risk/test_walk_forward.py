"""Past forecasts: those of production on each day, by a scale learned before, without a look at later prices."""

from dataclasses import replace

import numpy as np
import pytest

from tests.core.scale_pools import pool, swinging_prices
from zenith_core.risk.price_moves import ANCHORS, price_moves
from zenith_core.risk.scale_model import fit_scale_model, forecast_distribution
from zenith_core.risk.walk_forward import walk_forward

SESSIONS = 700
ROWS = np.append(np.arange(300, SESSIONS, 25), SESSIONS - 1)


@pytest.fixture(scope="module")
def model():
    return replace(fit_scale_model(pool(), "prior-2015"), data_end="2015-12-31")


@pytest.fixture(scope="module")
def prices():
    return swinging_prices(99, SESSIONS)


@pytest.fixture(scope="module")
def forecasts(model, prices):
    return walk_forward([model], price_moves(prices), ROWS)


@pytest.mark.parametrize("row", [300, 450, 699])
def test_each_is_the_one_that_production_makes_that_day(forecasts, model, prices, row):
    today = forecast_distribution(model, price_moves(prices.iloc[: row + 1]), "data")
    at, columns = int(np.flatnonzero(forecasts.rows == row)[0]), [horizon - 1 for horizon in ANCHORS]

    np.testing.assert_allclose(forecasts.scales[at], today.scale[columns], rtol=1e-12)
    for kind, expected in enumerate((today.quantiles, today.highs, today.lows)):
        np.testing.assert_allclose(forecasts.quantiles[kind, at], expected[columns], rtol=1e-9)
    np.testing.assert_allclose(forecasts.shortfalls[at], today.shortfalls[columns], rtol=1e-9)


def test_later_prices_change_no_earlier_forecast(forecasts, model, prices):
    other = prices.copy()
    other.loc[other.index[500] :, ["open", "high", "low", "close"]] *= 3.0

    after = walk_forward([model], price_moves(other), ROWS)

    before = forecasts.rows < 500
    for name in ("scales", "shortfalls"):
        np.testing.assert_array_equal(getattr(forecasts, name)[before], getattr(after, name)[before])
    np.testing.assert_array_equal(forecasts.quantiles[:, before], after.quantiles[:, before])
    assert (forecasts.scales[~before] != after.scales[~before]).any()


def test_each_origin_has_the_newest_scale_that_knows_nothing_of_its_day(model, prices):
    day = str(np.datetime_as_string(price_moves(prices).dates[450], unit="D"))
    newer = replace(model, version="newer", data_end=day)

    forecasts = walk_forward([newer, model], price_moves(prices), ROWS)

    assert set(forecasts.versions[forecasts.rows <= 450]) == {"prior-2015"}
    assert set(forecasts.versions[forecasts.rows > 450]) == {"newer"}


def test_some_horizons_of_returns_alone_are_those_of_all(forecasts, model, prices):
    few = walk_forward([model], price_moves(prices), ROWS, (1, 5), kinds=1)

    columns = [ANCHORS.index(1), ANCHORS.index(5)]
    np.testing.assert_array_equal(few.quantiles, forecasts.quantiles[:1, :, columns])
    np.testing.assert_array_equal(few.scales, forecasts.scales[:, columns])


def test_a_price_that_stands_still_and_a_day_before_all_scales_have_no_forecast(model, prices):
    still = prices.copy()
    still.loc[still.index[600] :, ["open", "high", "low", "close"]] = float(still["close"].iloc[600])
    late = replace(model, data_end="2030-12-31")

    assert walk_forward([model], price_moves(still), ROWS).rows.max() < SESSIONS - 1
    assert not len(walk_forward([late], price_moves(prices), ROWS).rows)
    assert not len(walk_forward([], price_moves(prices), ROWS).rows)
