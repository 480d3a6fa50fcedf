"""The universe of drawn closes, and what is drawn from it."""

import json

import numpy as np
import pytest

from tests.core.portfolio.universe import drawn_universe
from tests.core.risk.distributions import normal_distribution
from zenith_core.errors import NotAvailable
from zenith_core.portfolio import universe as universes
from zenith_core.portfolio.universe import Universe


@pytest.fixture(scope="module")
def universe():
    return drawn_universe()


def test_json_restores_it(universe):
    restored = Universe.from_json(json.loads(json.dumps(universe.to_json())))

    np.testing.assert_allclose(restored.scores, universe.scores, atol=6e-4)
    np.testing.assert_allclose(restored.scales, universe.scales, rtol=1e-5)
    assert restored.version == universe.version
    assert (restored.as_of, restored.tickers, restored.left_out) == ("2024-06-28", universe.tickers, universe.left_out)


@pytest.mark.parametrize(
    "damage", [{"closes": []}, {"tickers": []}, {"shrinkage": 2.0}, {"scores": "AAAA"}, {"scales": [float("nan")] * 8}]
)
def test_parts_that_do_not_fit_together_are_refused(universe, damage):
    with pytest.raises(ValueError, match=r"universe|reshape|buffer"):
        Universe.from_json({**universe.to_json(), **damage})


def test_the_version_is_another_with_other_data(universe):
    other = drawn_universe(version="2")

    assert other.version != universe.version


def test_young_and_ended_tickers_are_left_out_with_the_reason():
    universe = drawn_universe(young="T1", ended="T2")

    assert universe.tickers == ("T0", "T3", "T4", "T5", "T6", "T7")
    assert universe.left_out["T1"] == "T1 has 5 returns, and a scale needs 20: leave it out"
    assert universe.left_out["T2"].startswith("T2: prices end on 2024-05-31, 20 sessions before the others'")
    with pytest.raises(NotAvailable, match="T1 has 5 returns"):
        universe.column("T1")
    with pytest.raises(NotAvailable, match="X is not in the forecast of all tickers yet"):
        universe.column("X")


def test_without_any_history_there_is_no_universe():
    with pytest.raises(NotAvailable, match="T0 has 5 returns"):
        drawn_universe(rows=5, tickers=1)


def test_draws_have_the_served_quantiles_and_the_correlation(universe):
    distributions = {ticker: normal_distribution(daily=0.02) for ticker in universe.tickers[:4]}
    draws = universe.standard_draws(range(8), 10_000)
    moves = universe.in_marginals(draws, range(8), distributions, 5)

    served = 0.02 * np.sqrt(5) * np.array([-1.645, 0, 1.645])
    np.testing.assert_allclose(np.quantile(moves[:, :4], [0.05, 0.5, 0.95], axis=0).T, [served] * 4, atol=4e-4)
    np.testing.assert_allclose(moves[:, 4:].std(axis=0), universe.scales[4:] * np.sqrt(5), rtol=0.05)
    np.testing.assert_allclose(np.corrcoef(moves.T), universe.correlation(range(8)), atol=0.06)


def test_the_factor_form_draws_the_same(universe, monkeypatch):
    monkeypatch.setattr(universes, "MAX_DENSE", 1)
    draws = universe.standard_draws(range(8), 10_000)

    np.testing.assert_allclose(np.corrcoef(draws.T), universe.correlation(range(8)), atol=0.06)


def test_a_ticker_that_stands_still_does_not_move(universe):
    still = drawn_universe(still="T3")

    assert still.scales[3] == 0
    moves = still.in_marginals(still.standard_draws([3], 100), [3], {"T3": normal_distribution()}, 5)
    assert not moves.any()


def test_two_share_classes_move_together():
    universe = drawn_universe(twin="T1")
    draws = universe.standard_draws(range(8), 4_000)

    assert np.corrcoef(draws[:, 0], draws[:, 1])[0, 1] > 0.9
