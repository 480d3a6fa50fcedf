from dataclasses import replace

import numpy as np
import pytest

from tests.pipelines.synthetic_models import market, price_evidence, signal_evidence
from zenith_core.evaluation.leaderboard import Contender, leaderboard

FEATURES = market(400)


def prices(kind, *, foresight=0.0, first=100, **facts):
    return Contender(kind, 1, "2021-07-13", price_evidence(FEATURES, foresight, first=first), horizon=5, **facts)


def signals(kind, *, foresight=0.0, horizon=5, threshold=0.5):
    return Contender(kind, 1, "2021-07-13", signal_evidence(FEATURES, foresight), horizon, threshold)


def board(task, answering, *contenders):
    result = leaderboard(task, contenders, answering, FEATURES)
    return result, {row["model_type"]: row for row in result["models"]}


def test_price_models_are_scored_on_their_common_rows_and_the_table_says_how_many():
    result, rows = board("price", "lstm", prices("lstm"), prices("gru", foresight=0.3, first=150, cpu_seconds=4.5))

    assert (result["loss"], result["horizon"], result["rows"]) == ("mae", 5, 400 - 150 - 5)
    assert [row["model_type"] for row in result["models"]] == ["gru", "lstm"]
    assert (rows["lstm"]["own_rows"], rows["gru"]["own_rows"]) == (400 - 100 - 5, 400 - 150 - 5)
    assert rows["gru"]["naive"] == rows["lstm"]["naive"] == rows["lstm"]["value"]
    assert rows["gru"]["value"] == pytest.approx(0.7 * rows["gru"]["naive"], rel=0.05)
    assert (rows["gru"]["train_cpu_seconds"], rows["lstm"]["train_cpu_seconds"]) == (4.5, None)
    assert 0.5 < rows["gru"]["coverage"] <= 1


@pytest.mark.slow
def test_challengers_are_tested_against_the_model_that_answers():
    _, rows = board("price", "lstm", prices("lstm", foresight=0.1), prices("gru", foresight=0.3), prices("naive"))

    assert rows["lstm"]["answers"]
    assert not rows["gru"]["answers"]
    assert rows["lstm"]["p_value_answering"] is None
    assert rows["gru"]["p_value_answering"] < 0.01
    assert rows["naive"]["p_value_answering"] > 0.99
    assert rows["gru"]["p_value"] < 0.01
    assert rows["gru"]["skill"] > rows["lstm"]["skill"] > 0 == rows["naive"]["skill"]


def test_forecasts_that_are_not_finite_are_no_common_rows():
    broken = prices("gru")
    broken.evidence.loc[broken.evidence["origin"] < FEATURES.index[200], "forecast"] = np.nan

    result, rows = board("price", "lstm", prices("lstm"), broken)

    assert result["rows"] == rows["gru"]["own_rows"] == 400 - 200 - 5


def test_signals_are_compared_by_brier_score_and_calibration():
    result, rows = board("signal", "ensemble", signals("ensemble"), signals("other", foresight=0.2))

    assert (result["loss"], result["rows"]) == ("brier", 400 - 100 - 5)
    assert rows["ensemble"]["value"] == pytest.approx(2 / 3)
    assert rows["other"]["value"] < rows["other"]["naive"] < rows["ensemble"]["value"]
    assert rows["other"]["p_value_answering"] < 0.01
    assert rows["other"]["ece"] is not None


@pytest.mark.parametrize(
    ("labels", "note"),
    [
        ({"horizon": 20}, "its signals are of 20 sessions and threshold 0.5: other labels"),
        ({"threshold": 1.0}, "its signals are of 5 sessions and threshold 1.0: other labels"),
    ],
)
def test_signals_with_other_labels_are_not_compared(labels, note):
    result, rows = board("signal", "ensemble", signals("ensemble"), signals("other", foresight=0.5, **labels))

    assert [row["model_type"] for row in result["models"]] == ["ensemble", "other"]
    assert (rows["other"]["note"], rows["other"]["value"], rows["other"]["p_value_answering"]) == (note, None, None)
    assert rows["ensemble"]["value"] == pytest.approx(2 / 3)


def test_a_model_without_evidence_has_its_reason_and_the_others_are_scored():
    result, rows = board("price", "lstm", Contender("lstm", note="nothing in Production"), prices("gru"))

    assert (rows["lstm"]["note"], rows["lstm"]["value"]) == ("nothing in Production", None)
    assert (result["models"][0]["model_type"], result["rows"]) == ("gru", 295)
    assert rows["gru"]["p_value_answering"] is None


def test_without_common_rows_there_are_no_figures():
    lstm, late = prices("lstm"), prices("gru", first=300)
    early = lstm.evidence[lstm.evidence["origin"] < FEATURES.index[300]]

    result, rows = board("price", "lstm", replace(lstm, evidence=early), late)
    empty, _ = board("signal", "ensemble", Contender("ensemble", note="nothing in Production"))

    assert (result["rows"], rows["gru"]["value"], rows["gru"]["own_rows"]) == (0, None, 95)
    assert (empty["rows"], empty["horizon"]) == (0, None)
