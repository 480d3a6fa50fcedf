import numpy as np
import pytest

from tests.core.scale_pools import some_moves, swinging_prices
from zenith_core.names import HORIZONS
from zenith_core.risk import pooled_scale
from zenith_core.risk.pooled_scale import Pool, every_horizon, fit_coefficients, stretch
from zenith_core.risk.price_moves import ANCHORS, price_moves


@pytest.fixture(scope="module")
def tickers():
    return some_moves(4)


def test_coefficients_of_a_scale_that_was_made_are_recovered():
    rng = np.random.default_rng(4)
    inputs = np.column_stack([np.ones(20_000), rng.normal(-4, 0.5, 20_000), rng.normal(0, 0.5, 20_000)])
    truth = np.array([[0.4], [0.1], [-0.3]])
    targets = rng.normal(size=(20_000, 1)) * stretch(inputs, truth)
    targets[::7] = np.nan

    np.testing.assert_allclose(fit_coefficients(inputs, targets), truth, atol=0.06)


def test_the_scale_is_a_standard_deviation_whatever_the_distribution(tickers):
    pool = Pool(tickers)
    heavy = np.random.default_rng(1).standard_t(4, pool.targets[0].shape)

    errors = heavy / stretch(pool.inputs, fit_coefficients(pool.inputs, heavy))
    np.testing.assert_allclose((errors**2).mean(axis=0), 1, atol=1e-6)


def test_the_range_of_the_day_widens_the_scale_where_volatility_swings(tickers):
    pool = Pool(tickers)
    coefficients = fit_coefficients(pool.inputs, pool.targets[0])
    errors = np.abs(pool.targets[0]) / stretch(pool.inputs, coefficients)
    by_ewma = np.abs(pool.targets[0])

    assert coefficients[2:5].sum(axis=0).min() > 0
    spread = [np.nanstd(np.log(values[values > 0])) for values in (errors, by_ewma)]
    assert spread[0] < spread[1]


def test_a_pool_ends_where_it_is_told_and_knows_no_later_move(tickers):
    until = tickers[0].dates[700]
    cut = [price_moves(swinging_prices(seed).iloc[:701]) for seed in range(4)]
    early, alone = Pool(tickers, until), Pool(cut)

    assert early.data_end == until
    np.testing.assert_array_equal(early.inputs, alone.inputs)
    np.testing.assert_array_equal(early.targets, alone.targets)
    assert not len(Pool(tickers, np.datetime64("2010-01-01")))


def test_a_large_pool_is_thinned_out_evenly(tickers, monkeypatch):
    everything = Pool(tickers)
    monkeypatch.setattr(pooled_scale, "MAX_ROWS", len(everything) // 3)
    thin = Pool(tickers)

    assert (thin.step, thin.tickers) == (2, 4)
    assert len(everything) / 2 <= len(thin) <= len(everything) / 2 + 4


def test_a_halted_stocks_first_move_is_clipped(tickers):
    moves = tickers[0].moves.copy()
    moves[0, 500] = 50.0
    wild = Pool([type(tickers[0])(**{**vars(tickers[0]), "moves": moves})])

    assert np.nanmax(np.abs(wild.targets)) == pooled_scale.MAX_TARGET


def test_horizons_between_the_anchors_are_interpolated():
    values = every_horizon(np.sqrt(ANCHORS)[:, np.newaxis])[:, 0]

    assert values.shape == (HORIZONS,)
    np.testing.assert_allclose(values[[horizon - 1 for horizon in ANCHORS]], np.sqrt(ANCHORS))
    np.testing.assert_allclose(every_horizon(np.log(ANCHORS)), np.log(np.arange(1, HORIZONS + 1)))
