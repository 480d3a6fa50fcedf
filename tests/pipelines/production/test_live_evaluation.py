"""Scores of the Production model on later sessions, beside the naive forecast, and breaches."""

import json
from types import SimpleNamespace

import dagster as dg
import numpy as np
import pytest

from tests.pipelines.synthetic_models import current_data, market, price_onnx, register_version, signal_onnx
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.defs.assets.production import EvaluationConfig, production_evaluation
from zenith_pipelines.production.live_evaluation import evaluate
from zenith_pipelines.production.promotion import promote

pytestmark = pytest.mark.slow

FEATURES = market(sessions=250)
TRAINED = 150  # training sessions of the models
CLOSE = FEATURES["close"]


def in_production(registry, kind, ticker, onnx=None):
    register_version(registry, kind, ticker, FEATURES.iloc[:TRAINED], first=140, onnx=onnx)
    promote(registry, kind, 1, current_data(ticker, FEATURES), force=True, reason="test")


def test_forecasts_of_sessions_after_training_are_scored_beside_the_naive_forecast(registry):
    in_production(registry, "lstm", "WALK")

    evaluation = evaluate(registry, "lstm", current_data("WALK", FEATURES), CLOSE)

    json.dumps(evaluation, allow_nan=False)
    assert (evaluation["status"], evaluation["version"], evaluation["data_end"]) == (
        "scored",
        1,
        str(FEATURES.index[149].date()),
    )
    assert evaluation["until"] == str(FEATURES.index[-1].date())
    assert evaluation["rows"] == 250 - TRAINED - 5
    errors = np.abs(CLOSE.shift(-5) / CLOSE - 1).iloc[TRAINED:].dropna()
    assert evaluation["mae"] == pytest.approx(errors.mean(), rel=1e-5)
    assert evaluation["mae_random_walk"] == pytest.approx(evaluation["mae"], rel=1e-5)
    inside = (CLOSE.shift(-5) / CLOSE).iloc[TRAINED:].dropna().between(np.exp(-0.0822), np.exp(0.0822))
    assert evaluation["coverage"] == pytest.approx(inside.mean())
    assert {horizon: scores["rows"] for horizon, scores in evaluation["by_horizon"].items()}["30"] == 250 - TRAINED - 30
    assert evaluation["breaches"] == []


def test_a_model_that_fails_on_new_sessions_has_breaches_in_words(registry):
    in_production(registry, "lstm", "WRONG", price_onnx(growth=1.5))

    evaluation = evaluate(registry, "lstm", current_data("WRONG", FEATURES), CLOSE)

    assert evaluation["coverage"] == 0
    loss, band = evaluation["breaches"]
    assert loss.startswith("worse than the naive forecast by ")
    assert band == "the band held 0% of 95 outcomes, not 90% (p < 0.001)"


def test_signals_are_scored_beside_the_label_frequencies_until_training(registry):
    in_production(registry, "ensemble", "SURE", signal_onnx((0.98, 0.01, 0.01)))

    evaluation = evaluate(registry, "ensemble", current_data("SURE", FEATURES), CLOSE)

    assert evaluation["rows"] == 250 - TRAINED - 5
    assert evaluation["brier"] > 1
    assert 0.6 < evaluation["brier_baseline"] < 0.75
    assert evaluation["skill"] == pytest.approx(1 - evaluation["brier"] / evaluation["brier_baseline"])
    assert [breach[:30] for breach in evaluation["breaches"]] == ["worse than the naive forecast "]


@pytest.mark.parametrize("sessions", [TRAINED, TRAINED + 5])
def test_without_a_known_outcome_there_is_no_row_yet(registry, sessions):
    ticker = f"NONE{sessions}"
    in_production(registry, "lstm", ticker)
    current = current_data(ticker, FEATURES.iloc[:sessions])

    evaluation = evaluate(registry, "lstm", current, CLOSE.iloc[:sessions])

    json.dumps(evaluation, allow_nan=False)
    assert (evaluation["status"], evaluation["rows"], evaluation["version"], evaluation["breaches"]) == (
        "no row yet",
        0,
        1,
        [],
    )


def test_suspect_outcomes_are_not_scored(registry):
    in_production(registry, "lstm", "DOUBT")
    closes = CLOSE.copy()
    closes.iloc[200] = np.nan

    assert evaluate(registry, "lstm", current_data("DOUBT", FEATURES), closes)["rows"] == 250 - TRAINED - 5 - 2


def test_the_status_says_why_nothing_is_scored(registry):
    assert evaluate(registry, "lstm", current_data("ABSENT", FEATURES), CLOSE)["status"] == "nothing in Production"

    in_production(registry, "ensemble", "OTHER")
    evaluation = evaluate(registry, "ensemble", current_data("OTHER", FEATURES, spec="f6"), CLOSE)
    assert evaluation["status"] == "was trained on features f5, today's are f6"


def test_the_asset_keeps_the_other_models_evaluation_and_plots_figures(registry, tmp_path):
    for kind in ("lstm", "ensemble"):
        in_production(registry, kind, "ASSET")
    store = DatasetStore(str(tmp_path))
    store.write("production_evaluation", "ASSET", Dataset(facts={"ensemble": {"status": "as it was"}}))
    prices = FEATURES[["close"]].assign(suspect=False)
    zenith = SimpleNamespace(registry=registry, store=store)

    result = production_evaluation(
        dg.build_asset_context(partition_key="ASSET"),
        EvaluationConfig(model_type="lstm"),
        zenith,
        Dataset({"prices": prices}),
        Dataset({"features": FEATURES}),
        Dataset(facts=current_data("ASSET", FEATURES).snapshot.to_json()),
    )

    assert result.value.facts["ensemble"] == {"status": "as it was"}
    assert result.value.facts["lstm"]["status"] == "scored"
    assert result.metadata["lstm/rows"] == 95
    assert result.metadata["lstm/coverage"] == result.value.facts["lstm"]["coverage"]
    assert result.metadata["breaches"] == []
    assert "ensemble/status" not in result.metadata
