"""What is in Production on what came after its training: figures beside the naive forecast's, and what is a breach."""

import json
from types import SimpleNamespace

import dagster as dg
import numpy as np
import pytest

from tests.pipelines.synthetic_models import current_data, market, price_onnx, register_version, signal_onnx
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.defs.assets.evaluation import EvaluationConfig, production_evaluation
from zenith_pipelines.production.live_evaluation import evaluate
from zenith_pipelines.production.promotion import promote

# MLflow 3.17 warns of itself, on its first use and on the import of its pyfunc.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType"),
]

FEATURES = market(sessions=250)
KNOWN = 150  # sessions that the models were trained on
CLOSE = FEATURES["close"]


def in_production(registry, kind, ticker, onnx=None):
    register_version(registry, kind, ticker, FEATURES.iloc[:KNOWN], first=140, onnx=onnx)
    promote(registry, kind, 1, current_data(ticker, FEATURES), force=True, reason="test")


def test_forecasts_of_sessions_after_training_are_scored_beside_the_naive_forecast(registry):
    in_production(registry, "lstm", "WALK")

    found = evaluate(registry, "lstm", current_data("WALK", FEATURES), CLOSE)

    json.dumps(found, allow_nan=False)
    assert (found["status"], found["version"], found["data_end"]) == ("scored", 1, str(FEATURES.index[149].date()))
    assert found["until"] == str(FEATURES.index[-1].date())
    assert found["rows"] == 250 - KNOWN - 5
    errors = np.abs(CLOSE.shift(-5) / CLOSE - 1).iloc[KNOWN:].dropna()
    assert found["mae"] == pytest.approx(errors.mean(), rel=1e-5)
    assert found["mae_random_walk"] == pytest.approx(found["mae"], rel=1e-5)
    inside = (CLOSE.shift(-5) / CLOSE).iloc[KNOWN:].dropna().between(np.exp(-0.0822), np.exp(0.0822))
    assert found["coverage"] == pytest.approx(inside.mean())
    assert {horizon: seen["rows"] for horizon, seen in found["by_horizon"].items()}["30"] == 250 - KNOWN - 30
    assert found["breaches"] == []


def test_a_model_that_fails_on_new_sessions_is_a_breach_in_words(registry):
    in_production(registry, "lstm", "WRONG", price_onnx(growth=1.5))

    found = evaluate(registry, "lstm", current_data("WRONG", FEATURES), CLOSE)

    assert found["coverage"] == 0
    loss, band = found["breaches"]
    assert loss.startswith("worse than the naive forecast by ")
    assert band == "the band held 0% of 95 outcomes, not 90% (p = 0.0000)"


def test_signals_are_scored_beside_the_frequencies_known_by_then(registry):
    in_production(registry, "ensemble", "SURE", signal_onnx((0.98, 0.01, 0.01)))

    found = evaluate(registry, "ensemble", current_data("SURE", FEATURES), CLOSE)

    assert found["rows"] == 250 - KNOWN - 5
    assert found["brier"] > 1
    assert 0.6 < found["brier_baseline"] < 0.75
    assert found["skill"] == pytest.approx(1 - found["brier"] / found["brier_baseline"])
    assert [breach[:30] for breach in found["breaches"]] == ["worse than the naive forecast "]


@pytest.mark.parametrize("sessions", [KNOWN, KNOWN + 5])
def test_without_a_known_outcome_there_is_no_row_yet(registry, sessions):
    ticker = f"NONE{sessions}"
    in_production(registry, "lstm", ticker)
    here = current_data(ticker, FEATURES.iloc[:sessions])

    found = evaluate(registry, "lstm", here, CLOSE.iloc[:sessions])

    json.dumps(found, allow_nan=False)
    assert (found["status"], found["rows"], found["version"], found["breaches"]) == ("no row yet", 0, 1, [])


def test_outcomes_that_are_not_believed_are_not_scored(registry):
    in_production(registry, "lstm", "DOUBT")
    came = CLOSE.copy()
    came.iloc[200] = np.nan

    assert evaluate(registry, "lstm", current_data("DOUBT", FEATURES), came)["rows"] == 250 - KNOWN - 5 - 2


def test_what_cannot_be_scored_says_why(registry):
    assert evaluate(registry, "lstm", current_data("ABSENT", FEATURES), CLOSE)["status"] == "nothing in Production"

    in_production(registry, "ensemble", "OTHER")
    found = evaluate(registry, "ensemble", current_data("OTHER", FEATURES, spec="f6"), CLOSE)
    assert found["status"] == "made for the features f5, today's are f6"


def test_the_asset_keeps_what_was_not_asked_for_and_plots_figures(registry, tmp_path):
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
