import pytest

from tests.core.scale_pools import some_moves
from zenith_core.evaluation.scale_scores import SCORED, ewma_model, relative_pinball, scale_scores
from zenith_core.risk.pooled_scale import Pool
from zenith_core.risk.scale_model import fit_scale_model


@pytest.fixture(scope="module")
def pool():
    return Pool(some_moves(6))


def test_a_learned_scale_scores_better_than_the_ewma_where_the_days_range_tells(pool):
    own, baseline = scale_scores(fit_scale_model(pool, "1"), pool), scale_scores(ewma_model(pool), pool)

    assert relative_pinball(own, baseline) < -0.005
    assert relative_pinball(own, own) == 0
    for horizon in SCORED:
        assert own[f"coverage_{horizon}"] == pytest.approx(0.9, abs=0.01)
    assert own["coverage_volatile"] == pytest.approx(0.9, abs=0.05)
    assert own["rows"] == len(pool)


def test_rows_without_a_known_move_have_no_score(pool):
    assert scale_scores(ewma_model(pool), Pool()) == {"rows": 0.0}
