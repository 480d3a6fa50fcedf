"""A ticker with data and without a trained model: a band around the last close, and hold."""

import math
from datetime import UTC, datetime

import pytest

from tests.core.risk.distributions import NORMAL, normal_distribution
from zenith_serving.errors import DistributionUnavailable, ModelUnavailable, NoRegistry, RegistryUnavailable
from zenith_serving.prediction.cache import LocalCache
from zenith_serving.prediction.last_known_good import LastKnownGood
from zenith_serving.prediction.model_store import ModelStore
from zenith_serving.prediction.predictor import Predictor
from zenith_serving.prediction.untrained import without_model
from zenith_serving.published.snapshot_store import SnapshotStore
from zenith_serving.schemas.risk import RiskRequest

LAST_WEEK = datetime(2013, 3, 4, 21, tzinfo=UTC)


@pytest.fixture
def predictor(tmp_path, registry, write_snapshot):
    write_snapshot(tmp_path, "AAPL", distribution=normal_distribution())
    snapshots = SnapshotStore(tmp_path / "data" / "serving_snapshot")
    models = ModelStore(registry, LastKnownGood(tmp_path / "copies"))
    return Predictor(snapshots, models, LocalCache(60), lambda: LAST_WEEK)


def test_the_price_is_the_last_close_in_a_band_of_the_distribution(predictor):
    answer = predictor.predict_price("AAPL", 4)

    assert (answer.model_type, answer.model_version, answer.scale_version) == ("lstm", "none", "7")
    assert (answer.skill.beats_naive, answer.coverage, answer.confidence) == (None, None, 0.9)
    assert [(point.day, point.price, point.change_pct) for point in answer.predictions] == [
        (day, 100.0, 0.0) for day in (1, 2, 3, 4)
    ]
    for end, level in (("lower", 0.05), ("upper", 0.95)):
        expected = [100 * math.exp(0.01 * math.sqrt(day) * NORMAL.inv_cdf(level)) for day in (1, 2, 3, 4)]
        assert [getattr(point, end) for point in answer.predictions] == pytest.approx(expected, abs=1e-3)


def test_the_signal_is_hold_because_no_model_is_trained(predictor):
    answer = predictor.predict_signal("AAPL")

    assert (answer.signal, answer.model_version, answer.scale_version) == ("hold", "none", "7")
    assert (answer.reason_code, answer.reason) == ("no_model", "No model of this ticker is trained yet.")
    assert (answer.likeliest, answer.confidence, answer.probabilities) == (None, None, None)


def test_it_is_kept_in_memory_and_no_model_in_health(predictor):
    predictor.predict_price("AAPL")

    assert predictor.ready(["lstm"], "AAPL")["lstm"].version is None
    assert predictor.models.state()["models"]["loaded"] == 0
    assert predictor.predict_price("AAPL").cached


def test_what_is_shown_first_is_computed_before_it_is_asked_for(predictor):
    predictor.compute_first(0)
    assert predictor.ready(["lstm", "ensemble"], "AAPL") is None

    predictor.compute_first(50)
    assert set(predictor.ready(["lstm", "ensemble"], "AAPL")) == {"lstm", "ensemble"}


def test_a_trained_model_takes_over(predictor, registry, models):
    assert predictor.predict_price("AAPL").model_version == "none"

    registry.add("lstm-AAPL", models.lstm("AAPL"))
    predictor.refresh()

    answer = predictor.predict_price("AAPL")
    assert (answer.model_version, answer.scale_version, answer.cached) == ("1", "7", False)


def test_a_new_snapshot_is_followed(predictor, tmp_path, write_snapshot):
    predictor.predict_price("AAPL")

    write_snapshot(tmp_path, "AAPL", close=50.0, data_version="beef", distribution=normal_distribution())

    assert predictor.predict_price("AAPL").current_price == 50.0


def test_without_a_distribution_the_missing_model_is_reported(predictor, tmp_path, write_snapshot, models):
    write_snapshot(tmp_path, "AAPL")

    with pytest.raises(ModelUnavailable, match="lstm-AAPL has no version in Production yet"):
        predictor.predict_price("AAPL")
    with pytest.raises(ValueError, match="no distribution"):
        without_model("lstm-AAPL", models.snapshot("AAPL"))


def test_an_unavailable_registry_is_no_missing_model(predictor, registry):
    registry.away = True

    with pytest.raises(RegistryUnavailable):
        predictor.predict_price("AAPL")


def test_in_a_home_without_any_registry_nothing_is_trained(predictor, registry, monkeypatch, tmp_path, write_snapshot):
    def missing():
        raise NoRegistry("there is no MLflow database yet")

    monkeypatch.setattr(registry, "production", missing)

    assert predictor.predict_price("AAPL").model_version == "none"
    write_snapshot(tmp_path, "AAPL")
    with pytest.raises(RegistryUnavailable):
        predictor.predict_signal("AAPL")


def test_a_registry_that_vanishes_takes_no_model_away(
    predictor, registry, models, monkeypatch, tmp_path, write_snapshot
):
    registry.add("lstm-AAPL", models.lstm("AAPL"))
    assert predictor.predict_price("AAPL").model_version == "1"

    def missing():
        raise NoRegistry("there is no MLflow database yet")

    monkeypatch.setattr(registry, "production", missing)
    write_snapshot(tmp_path, "AAPL", data_version="beef", distribution=normal_distribution())
    predictor.refresh()

    assert predictor.predict_price("AAPL").model_version == "1"


def test_quantiles_are_those_of_the_distribution_around_the_last_close(predictor, registry, models):
    registry.add("lstm-AAPL", models.lstm("AAPL"))

    answer = predictor.predict_price("AAPL", 2, quantiles=[0.01, 0.97])

    assert (answer.model_version, answer.scale_version) == ("1", "7")
    assert [quantile.level for quantile in answer.quantiles] == [0.01, 0.97]
    for quantile in answer.quantiles:
        expected = [100 * math.exp(0.01 * math.sqrt(day) * NORMAL.inv_cdf(quantile.level)) for day in (1, 2)]
        assert quantile.prices == pytest.approx(expected, abs=1e-3)


def test_quantiles_need_a_distribution(predictor, registry, models, tmp_path, write_snapshot):
    registry.add("lstm-AAPL", models.lstm("AAPL"))
    write_snapshot(tmp_path, "AAPL")

    assert predictor.predict_price("AAPL").quantiles == []
    with pytest.raises(DistributionUnavailable):
        predictor.predict_price("AAPL", quantiles=[0.5])


def test_each_question_about_risk_has_its_own_cached_answer(predictor):
    def ask(**question):
        return predictor.predict_risk(RiskRequest.model_validate({"ticker": "AAPL", **question}))

    questions = [{}, {"horizon": 6}, {"tails": [0.05]}, {"touch": [{"pct": 3}]}, {"touch": [{"price": 103}]}]

    assert [ask(**question).cached for question in questions] == [False] * 5
    assert [ask(**question).cached for question in questions] == [True] * 5
    assert not ask(use_cache=False).cached


@pytest.mark.parametrize("change", ["scale_version", "data_version"])
def test_a_new_scale_or_new_data_make_a_new_answer(predictor, tmp_path, write_snapshot, change):
    request = RiskRequest(ticker="AAPL")
    predictor.predict_risk(request)
    predictor.predict_price("AAPL", quantiles=[0.5])

    new = normal_distribution(**{change: "8"})
    write_snapshot(tmp_path, "AAPL", distribution=new)

    answer = predictor.predict_risk(request)
    assert (getattr(answer, change), answer.cached) == ("8", False)
    if change == "scale_version":
        price = predictor.predict_price("AAPL", quantiles=[0.5])
        assert (price.scale_version, price.cached) == ("8", False)
