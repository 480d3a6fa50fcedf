import numpy as np
import pytest

from zenith_core.evaluation.probability_scores import BINS, calibration_error, calibration_scores, reliability_table


def test_a_table_worked_by_hand():
    table = reliability_table(np.array([0.2, 0.2, 0.2, 0.2, 0.8]), np.array([0.0, 0, 1, 0, 1]))

    assert table == [
        {"predicted": pytest.approx(0.2), "observed": 0.25, "rows": 4},
        {"predicted": 0.8, "observed": 1.0, "rows": 1},
    ]
    assert calibration_error(table) == pytest.approx((4 * 0.05 + 0.2) / 5)


def test_bins_hold_about_equally_many_rows():
    probabilities = np.random.default_rng(0).beta(2, 5, 1000)
    rows = [row["rows"] for row in reliability_table(probabilities, np.zeros(1000))]

    assert len(rows) == BINS
    assert sum(rows) == 1000
    assert min(rows) > 90


def test_one_answer_for_all_is_one_bin():
    assert [row["rows"] for row in reliability_table(np.full(50, 0.3), np.zeros(50))] == [50]


def test_no_rows_give_no_error_and_no_table():
    assert reliability_table(np.empty(0), np.empty(0)) == []
    assert calibration_error([]) is None


def test_overconfident_probabilities_have_a_large_error():
    rng = np.random.default_rng(1)
    honest = rng.dirichlet([3, 4, 3], 20_000)
    label = (rng.random((20_000, 1)) > honest.cumsum(axis=1)).sum(axis=1)
    loud = honest**3 / (honest**3).sum(axis=1, keepdims=True)

    fair, wrong = (calibration_scores(label, p, ("sell", "hold", "buy")) for p in (honest, loud))

    assert fair["ece"] < 0.02 < 0.15 < wrong["ece"]
    assert fair["ece_classwise"] < 0.02 < 0.1 < wrong["ece_classwise"]
    assert list(wrong["reliability"]) == ["sell", "hold", "buy"]
