import json

import numpy as np
import pytest

from tests.core.scale_pools import pool, some_moves, swinging_prices
from zenith_core.errors import NotAvailable, TrainingError
from zenith_core.risk.forecast_distribution import LEVELS
from zenith_core.risk.pooled_scale import Pool
from zenith_core.risk.price_moves import ANCHORS, price_moves
from zenith_core.risk.scale_model import ScaleModel, fit_scale_model, forecast_distribution


@pytest.fixture(scope="module")
def model():
    return fit_scale_model(pool(), "1")


def crashed(prices, by):
    """The newest session opens at the close before and falls."""
    newest = prices.copy()
    newest.iloc[-1, newest.columns.get_indexer(["low", "close"])] *= np.exp(-by)
    return newest


@pytest.mark.slow
def test_bands_hold_their_share_on_a_ticker_that_no_fit_has_seen(model):
    moves = price_moves(swinging_prices(99, 1200))
    rows = np.arange(400, 1150, 15)
    scales = model.scales(moves)
    for horizon in (1, 20):
        at = ANCHORS.index(horizon)
        bands = [model.quantiles_at(moves, row).moves[0, at] * scales[row, at] for row in rows]
        low, high = np.array(bands)[:, [LEVELS.index(0.05), LEVELS.index(0.95)]].T
        inside = (low <= moves.moves[0, rows, at]) & (moves.moves[0, rows, at] <= high)
        assert 0.82 < inside.mean() < 0.98


def test_it_survives_json(model):
    copy = ScaleModel.from_dict(json.loads(json.dumps(model.to_dict())))
    moves = price_moves(swinging_prices(7, 500))

    assert (copy.version, copy.data_end, copy.tickers, copy.rows) == ("1", model.data_end, 6, model.rows)
    one, other = (forecast_distribution(each, moves, "d") for each in (copy, model))
    np.testing.assert_allclose(one.scale, other.scale, rtol=1e-3)
    np.testing.assert_allclose(one.quantiles, other.quantiles, atol=1e-3)


def test_a_model_of_other_inputs_is_refused(model):
    document = {**model.to_dict(), "inputs": ["constant"]}

    with pytest.raises(NotAvailable, match="scale model 1 has other inputs than this release"):
        ScaleModel.from_dict(document)


def test_a_new_ticker_of_310_sessions_has_a_distribution(model):
    distribution = forecast_distribution(model, price_moves(swinging_prices(8, 310)), "d1")

    assert (distribution.scale_version, distribution.data_version, distribution.horizons) == ("1", "d1", 30)
    assert (np.diff(distribution.scale) > 0).all()
    assert (distribution.highs[:, LEVELS.index(0.5)] > distribution.quantiles[:, LEVELS.index(0.5)]).all()


def test_the_future_changes_nothing(model):
    prices = swinging_prices(9, 600)
    whole = price_moves(prices)

    known = model.quantiles_at(price_moves(prices.iloc[:401]), 400)
    np.testing.assert_allclose(model.quantiles_at(whole, 400).moves, known.moves)


def test_a_crash_in_the_newest_row_widens_the_distribution(model):
    prices = swinging_prices(10, 500)
    before, after = (forecast_distribution(model, price_moves(each), "d") for each in (prices, crashed(prices, 0.9)))

    assert np.isfinite(after.scale).all()
    assert (after.scale > 2 * before.scale).all()


def test_a_ticker_that_stands_still_or_is_too_short_has_none(model):
    prices = swinging_prices(11, 500)
    prices.iloc[420:, :4] = 30.0

    with pytest.raises(NotAvailable, match="stands still"):
        forecast_distribution(model, price_moves(prices), "d")
    with pytest.raises(NotAvailable, match="too few sessions for a distribution: 249, at least 250"):
        forecast_distribution(model, price_moves(swinging_prices(12, 249)), "d")


def test_a_pool_of_one_or_of_nothing_has_no_scale_of_its_own():
    for tickers, count in ((1, "1 ticker"), (0, "0 tickers")):
        with pytest.raises(TrainingError, match=f"of {count} are too few for a scale"):
            fit_scale_model(Pool(some_moves(tickers)), "1")
