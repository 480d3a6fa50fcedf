from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tests.core.markets import random_prices
from tests.core.risk.distributions import normal_distribution
from zenith_core.errors import NotAvailable
from zenith_core.features.model_features import feature_spec, feature_spec_hash, features, inputs_of
from zenith_core.forecasting.calibration import Calibrator
from zenith_core.inference import HORIZONS, QUANTILES, PriceForecast
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import calendar_end
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.models.ensemble import EnsembleConfig, fit_ensemble
from zenith_pipelines.models.ensemble_onnx import signal_model_onnx
from zenith_pipelines.models.onnx_artifact import with_metadata
from zenith_pipelines.production import serving_snapshot
from zenith_pipelines.production.serving_snapshot import DECLARATIONS, latest_forecast, make_snapshot, snapshot_facts
from zenith_pipelines.registry.model_registry import Version

LIMITS = {"lower": [-1.0, -1.0], "upper": [1.0, 1.0], "base_rates": [0.3, 0.4, 0.3]}


PRICES = random_prices(420)
FIRST, *OTHERS, LAST = feature_spec()["inputs"]
EARLIER = {**feature_spec(), "inputs": [*OTHERS, {**FIRST, "high": 0.5}]}  # another order and range, one input less


@pytest.fixture(scope="module")
def onnx():
    """An ensemble that always says 20 % sell, 30 % hold, 50 % buy."""
    values = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    vote = fit_ensemble(EnsembleConfig(trees=2, boosting_rounds=2), values, np.arange(60) % 3)
    return signal_model_onnx(vote, Calibrator(0.0, tuple(np.log([0.2, 0.3, 0.5]))), 2)


@pytest.fixture
def latest(onnx, monkeypatch):
    """Return the facts of the latest forecast by an ensemble with such metadata, for such a newest row."""
    forecast = PriceForecast(np.full(HORIZONS, 10.0), np.full((HORIZONS, len(QUANTILES)), 10.0))
    monkeypatch.setattr(serving_snapshot, "forecast_prices", lambda run, snapshot, window: forecast)

    def facts(metadata, row=(0.0, 0.0), spec="s", distribution=None):
        day = date(2024, 1, 2)
        snapshot = ServingSnapshot("AAPL", "v", "s", day, 9.0, "USD", 0.1, np.array([row], dtype=np.float32), ())
        snapshot = replace(snapshot, distribution=distribution)
        version = Version("m", 3, "", "", {"data_end": "2024-01-02", "feature_spec": spec})
        registry = SimpleNamespace(
            require_production=lambda name: version, load=lambda name, number: with_metadata(onnx, metadata)
        )
        return latest_forecast(registry, snapshot).facts

    return facts


def metadata_of(*, proven):
    return {"study": {"limits": LIMITS, "final": {"calibration": {"proven": proven}}}}


def test_the_latest_signal_has_its_probability_and_its_reason(latest):
    facts = latest(metadata_of(proven=True))

    assert (facts["signal"], facts["reason"]) == ("buy", "model")
    assert facts["probability"] == pytest.approx(0.5)
    assert (facts["forecast"], facts["ensemble_version"]) == (10.0, 3)


def test_the_latest_forecast_is_of_the_kind_that_answers_for_the_ticker(latest, monkeypatch):
    monkeypatch.setitem(ANSWERS.by_ticker, "AAPL", {"price": "gru", "signal": "ensemble"})

    facts = latest(metadata_of(proven=True))

    assert facts["gru_version"] == 3
    assert "lstm_version" not in facts


def test_the_latest_signal_abstains_as_serving_does(latest):
    assert latest(metadata_of(proven=True), row=(0.0, 5.0))["reason"] == "outside_training_range"
    unproven = latest(metadata_of(proven=False))
    assert (unproven["signal"], unproven["reason"]) == ("hold", "fails_baseline")
    assert unproven["probability"] == pytest.approx(0.3)


def test_a_model_without_limits_gives_no_forecast(latest):
    with pytest.raises(NotAvailable, match="does not say its study"):
        latest({"evidence": {"beats_naive": True}})


def test_a_model_whose_inputs_the_snapshot_lacks_gives_no_forecast(latest):
    with pytest.raises(NotAvailable, match="trained on features r, the snapshot holds s"):
        latest(metadata_of(proven=True), spec="r")


@pytest.fixture
def store(tmp_path):
    return DatasetStore(str(tmp_path))


def registry_of(*specs, production=()):
    """A registry whose models have versions of such feature specs."""
    versions = {spec: SimpleNamespace(tags={"feature_spec": spec}) for spec in (*specs, *production)}
    return SimpleNamespace(
        exists=True,
        versions=lambda name: list(versions.values()),
        production=lambda name: versions[production[0]] if production else None,
    )


def datasets(sessions, spec=None, inputs=None):
    """Cleaned prices of so many sessions, and the indicators of a feature spec, today's by default."""
    prices = PRICES.iloc[:sessions]
    table = features(prices) if inputs is None else features(prices, inputs)
    cleaned = Dataset({"prices": prices}, {"data_version": f"d{sessions}"})
    return cleaned, Dataset({"features": table}, {"feature_spec": spec or feature_spec_hash()})


@pytest.mark.parametrize(
    ("ticker", "days", "currency"), [("BTC-EUR", 30, "EUR"), ("EURUSD=X", 40, "USD"), ("EURUSD", 40, "USD")]
)
def test_the_next_sessions_of_coins_are_all_days_and_of_currencies_all_weekdays(ticker, days, currency):
    cleaned, indicators = datasets(400)
    snapshot = make_snapshot(ticker, cleaned, indicators)
    last = snapshot.next_sessions[-1]
    assert len(snapshot.next_sessions) == 30
    assert days <= (last - snapshot.as_of).days <= days + 2
    assert (snapshot.currency, snapshot.calendar_end) == (currency, None)


@pytest.mark.slow
def test_the_source_names_currency_and_listing_and_else_the_ticker_does():
    cleaned, indicators = datasets(400)
    named = Dataset(cleaned.tables, {**cleaned.facts, "currency": "GBP", "listing": {"name": "Vodafone"}})
    ours, theirs = (make_snapshot("VOD.L", prices, indicators) for prices in (cleaned, named))
    assert (ours.currency, ours.listing) == ("GBp", {"exchange": "XLON"})
    assert (theirs.currency, theirs.listing) == ("GBP", {"exchange": "XLON", "name": "Vodafone"})
    assert ServingSnapshot.from_json(theirs.to_json()).listing == theirs.listing


def test_a_snapshot_near_the_end_of_a_calendar_says_where_it_ends():
    cleaned, indicators = datasets(400)
    end = pd.Timestamp(calendar_end(exchange_of("600000.SS")))
    indicators.table.index = indicators.table.index + (end - indicators.table.index[-1])
    snapshot = make_snapshot("600000.SS", cleaned, indicators)
    assert len(snapshot.next_sessions) == 30
    assert snapshot.calendar_end == end.date() < snapshot.next_sessions[-1]
    assert make_snapshot("AAPL", cleaned, indicators).calendar_end is None


def store_earlier(store, declaration=EARLIER):
    """Store the snapshot that a release with the feature spec EARLIER wrote on session 400."""
    inputs = inputs_of(EARLIER)
    snapshot = make_snapshot("AAPL", *datasets(400, "earlier", inputs), [one.name for one in inputs])
    store.write(
        "serving_snapshot", "AAPL", Dataset(facts={**snapshot.to_json(), DECLARATIONS: {"earlier": declaration}})
    )
    return snapshot


def refresh(store, registry, sessions):
    facts = snapshot_facts(store, registry, "AAPL", *datasets(sessions))
    store.write("serving_snapshot", "AAPL", Dataset(facts=facts))
    return ServingSnapshot.from_json(store.facts("serving_snapshot", "AAPL"))


@pytest.mark.slow
def test_after_a_change_of_features_each_refresh_also_computes_the_inputs_of_earlier_models(store):
    store_earlier(store)

    for sessions in (410, 420):
        snapshot = refresh(store, registry_of("earlier"), sessions)

        earlier = snapshot.for_spec("earlier")
        assert (earlier.as_of, earlier.close, earlier.data_version) == (
            *(snapshot.as_of, snapshot.close, f"d{sessions}"),
        )
        expected = np.append(snapshot.window[:, 1:-1], snapshot.window[:, :1].clip(max=0.5), axis=1)
        np.testing.assert_array_equal(earlier.window, expected)
    assert store.facts("serving_snapshot", "AAPL")[DECLARATIONS] == {
        "earlier": EARLIER,
        feature_spec_hash(): feature_spec(),
    }


@pytest.mark.slow
@pytest.mark.parametrize("declaration", [None, {**EARLIER, "decay": 0.97}])
def test_inputs_that_the_code_cannot_compute_stay_as_they_were_for_production_only(store, declaration):
    last = store_earlier(store, declaration)

    earlier = refresh(store, registry_of(production=["earlier"]), 410).for_spec("earlier")
    assert (earlier.as_of, earlier.close, earlier.data_version) == (last.as_of, last.close, "d400")
    np.testing.assert_array_equal(earlier.window, last.window)
    assert refresh(store, registry_of("earlier"), 420).for_spec("earlier") is None


@pytest.mark.slow
def test_inputs_that_no_version_uses_are_dropped(store):
    store_earlier(store)

    assert refresh(store, registry_of("another"), 410).other_specs == {}
    assert list(store.facts("serving_snapshot", "AAPL")[DECLARATIONS]) == [feature_spec_hash()]


@pytest.mark.slow
def test_without_a_change_of_features_the_registry_is_not_read(store):
    assert refresh(store, None, 400).other_specs == refresh(store, None, 410).other_specs == {}


@pytest.mark.parametrize("content", ["not a manifest", None])
def test_a_stored_snapshot_that_cannot_be_read_does_not_prevent_a_new_one(store, content):
    store.write("serving_snapshot", "AAPL", Dataset(facts={"written by": "an ancient release"}))
    if content:
        Path(store.path("serving_snapshot", "AAPL"), "current.json").write_text(content)

    assert refresh(store, None, 400).feature_spec == feature_spec_hash()


def test_the_latest_forecast_has_the_bands_that_are_served(latest):
    facts = latest(metadata_of(proven=True), distribution=normal_distribution())

    assert facts["forecast"] == 10.0
    assert facts["lower"] == pytest.approx(9.0 * np.exp(-1.644854 * 0.01 * np.sqrt(facts["horizon"])))
