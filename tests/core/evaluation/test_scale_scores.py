from dataclasses import replace

import numpy as np
import pytest

from tests.core.scale_pools import some_moves
from zenith_core.evaluation.scale_scores import SCORED, ewma_model, group_scores, relative_pinball, scale_scores
from zenith_core.risk.pooled_scale import Pool
from zenith_core.risk.scale_model import fit_scale_model


@pytest.fixture(scope="module")
def pool():
    """Of six tickers of market A, and one of market B."""
    return Pool(replace(moves, market="B" if number == 6 else "A") for number, moves in enumerate(some_moves(7)))


@pytest.fixture(scope="module")
def model(pool):
    return fit_scale_model(pool, "1")


def test_a_learned_scale_scores_better_than_the_ewma_where_the_days_range_tells(pool, model):
    own, baseline = scale_scores(model, pool), scale_scores(ewma_model(pool), pool)

    assert relative_pinball(own, baseline) < -0.005
    assert relative_pinball(own, own) == 0
    for horizon in SCORED:
        assert own[f"coverage_{horizon}"] == pytest.approx(0.9, abs=0.01)
    assert own["coverage_volatile"] == pytest.approx(0.9, abs=0.05)
    assert own["rows"] == len(pool)


def test_each_market_and_decile_with_enough_rows_has_its_scores(pool, model):
    own = group_scores(model, pool)

    assert list(own) == [
        *("market A", "market B"),
        *(f"volatility decile {number}" for number in range(1, 11)),
        *(f"market {name} over {horizon} sessions" for horizon in (5, 20) for name in "AB"),
    ]
    assert sum(own[f"market {name}"]["rows"] for name in "AB") == len(pool) - 7  # the last moves are not known
    whole = scale_scores(model, pool)
    shares = [(own[f"market {name}"]["rows"], own[f"market {name}"]["coverage"]) for name in "AB"]
    assert sum(rows * share for rows, share in shares) / (len(pool) - 7) == pytest.approx(whole["coverage_1"])
    for horizon in (5, 20):
        rows, coverages = (
            [own[f"market {name} over {horizon} sessions"][figure] for name in "AB"] for figure in ("rows", "coverage")
        )
        assert sum(rows) == len(pool) - 7 * horizon
        assert np.average(coverages, weights=rows) == pytest.approx(whole[f"coverage_{horizon}"])
    assert own["volatility decile 10"]["coverage"] == pytest.approx(whole["coverage_volatile"], abs=0.01)


def test_a_group_of_few_rows_is_no_evidence():
    few = Pool([replace(some_moves(1, 600)[0], market="A")])

    assert group_scores(ewma_model(few), few) == {}


def test_rows_without_a_known_move_have_no_score(pool):
    assert scale_scores(ewma_model(pool), Pool()) == {"rows": 0.0}
