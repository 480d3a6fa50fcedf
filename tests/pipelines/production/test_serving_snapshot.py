from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from zenith_core.errors import NotAvailable
from zenith_core.forecasting.calibration import Calibrator
from zenith_core.inference import HORIZONS, QUANTILES, PriceForecast
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.models.ensemble import EnsembleConfig, fit_ensemble
from zenith_pipelines.models.ensemble_onnx import signal_model_onnx
from zenith_pipelines.models.onnx_artifact import with_metadata
from zenith_pipelines.production import serving_snapshot as serving_view
from zenith_pipelines.production.serving_snapshot import latest_answer

LIMITS = {"lower": [-1.0, -1.0], "upper": [1.0, 1.0], "base_rates": [0.3, 0.4, 0.3]}


@pytest.fixture(scope="module")
def onnx():
    """Says 20 % sell, 30 % hold, 50 % buy whatever it is asked."""
    values = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    vote = fit_ensemble(EnsembleConfig(trees=2, boosting_rounds=2), values, np.arange(60) % 3)
    return signal_model_onnx(vote, Calibrator(0.0, tuple(np.log([0.2, 0.3, 0.5]))), 2)


@pytest.fixture
def ask(onnx, monkeypatch):
    """The facts of the latest answer of an ensemble with such facts, to such a newest row."""
    forecast = PriceForecast(np.full(HORIZONS, 10.0), np.full((HORIZONS, len(QUANTILES)), 10.0))
    monkeypatch.setattr(serving_view, "forecast_prices", lambda run, snapshot: forecast)

    def answer(facts, row=(0.0, 0.0)):
        day = date(2024, 1, 2)
        snapshot = ServingSnapshot("AAPL", "v", "s", day, 9.0, "USD", 0.1, np.array([row], dtype=np.float32), ())
        version = SimpleNamespace(name="m", version=3, tags={"data_end": "2024-01-02"})
        registry = SimpleNamespace(
            require_production=lambda name: version, load=lambda name, number: with_metadata(onnx, facts)
        )
        return latest_answer(registry, snapshot).facts

    return answer


def facts_of(*, proven):
    return {"study": {"limits": LIMITS, "final": {"calibration": {"proven": proven}}}}


def test_the_latest_signal_has_its_probability_and_its_reason(ask):
    facts = ask(facts_of(proven=True))

    assert (facts["signal"], facts["reason"]) == ("buy", "model")
    assert facts["probability"] == pytest.approx(0.5)
    assert (facts["forecast"], facts["ensemble_version"]) == (10.0, 3)


def test_the_latest_signal_abstains_as_serving_does(ask):
    assert ask(facts_of(proven=True), row=(0.0, 5.0))["reason"] == "outside_training_range"
    unproven = ask(facts_of(proven=False))
    assert (unproven["signal"], unproven["reason"]) == ("hold", "fails_baseline")
    assert unproven["probability"] == pytest.approx(0.3)


def test_a_model_without_limits_gives_no_answer(ask):
    with pytest.raises(NotAvailable, match="does not say its study"):
        ask({"evidence": {"beats_naive": True}})
