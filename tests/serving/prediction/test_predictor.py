import shutil
from datetime import UTC, date, datetime, timedelta
from math import log

import numpy as np
import pytest

from tests.core.risk.distributions import normal_distribution
from tests.published import publish, publish_claims
from zenith_core.errors import InvalidTicker, UserError
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.table import MODEL_KINDS, select_kinds
from zenith_core.names import DISCLAIMER
from zenith_pipelines.models.onnx_artifact import metadata, with_metadata
from zenith_serving.errors import DistributionUnavailable, FeatureMismatch, ModelUnavailable, TickerGone, UnknownTicker
from zenith_serving.prediction.cache import LocalCache
from zenith_serving.prediction.last_known_good import LastKnownGood
from zenith_serving.prediction.model_store import ModelStore
from zenith_serving.prediction.predictor import Predictor, make_predictor
from zenith_serving.prediction.responses import age_in_sessions
from zenith_serving.prediction.served_model import nearest_evidence
from zenith_serving.published.snapshot_store import SnapshotStore
from zenith_serving.settings import Settings


class Clock:
    def __init__(self):
        self.now = datetime(2013, 3, 4, 21, tzinfo=UTC)  # a Monday, the first session after the snapshot

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def predictor(tmp_path, registry, models, write_snapshot, clock):
    for ticker in ("AAPL", "MSFT"):
        write_snapshot(tmp_path, ticker)
        registry.add(f"lstm-{ticker}", models.lstm(ticker))
        registry.add(f"ensemble-{ticker}", models.ensemble(ticker))
    publish_claims(tmp_path, "AAPL", "MSFT")
    snapshots = SnapshotStore(tmp_path / "data" / "serving_snapshot")
    return Predictor(snapshots, ModelStore(registry, LastKnownGood(tmp_path / "copies")), LocalCache(60), clock)


PROOF = {
    **{"e_value": 5000.0, "since": date(2012, 1, 3), "required": 20.0, "discovered": True, "horizon": 5},
    **{"says": "5,000 to 1 since January 2012: a claim, which asks 20 to 1 among 2 tickers"},
}


def test_a_price_answer_has_every_field(predictor, clock):
    answer = predictor.predict_price("aapl", 4).model_dump(exclude={"predictions"})
    assert answer == {
        "ticker": "AAPL",
        "model_type": "lstm",
        "model_version": "1",
        "model_data_end": date(2013, 3, 1),
        "current_price": 100.0,
        "as_of": date(2013, 3, 1),
        "currency": "USD",
        "skill": {"horizon": 5, "beats_naive": True, "p_value": 0.01, "mase": 0.97, "skill": 0.04},
        "evidence": PROOF,
        "stale": False,
        "age_sessions": 1,
        "cached": False,
        "timestamp": clock.now,
        "disclaimer": DISCLAIMER,
        "horizon": 4,
        "confidence": 0.9,
        "coverage": 0.88,
        "dates_estimated_after": None,
        "quantiles": [],
        "scale_version": None,
    }


def test_the_same_question_again_has_the_time_the_age_and_the_evidence_of_now(predictor, clock, tmp_path):
    def ask(quantiles=()):
        return predictor.predict_price("AAPL", 4, use_cache=False, quantiles=quantiles)

    first = ask()
    clock.now += timedelta(seconds=1)
    assert ask() == first.model_copy(update={"timestamp": clock.now})

    clock.now += timedelta(days=20)
    assert (first.stale, ask().stale) == (False, True)
    publish_claims(tmp_path, "AAPL", "MSFT", "IBM")
    predictor.universe.check()
    assert ask().evidence.says.endswith("among 3 tickers")
    with pytest.raises(DistributionUnavailable):
        ask([0.05])


def test_a_ticker_is_answered_by_the_kind_that_is_chosen_for_it(predictor, registry, models, monkeypatch):
    monkeypatch.setitem(ANSWERS.by_ticker, "AAPL", {"price": "gru", "signal": "ensemble"})
    onnx = models.lstm("AAPL", growth=1.02)
    registry.add("gru-AAPL", with_metadata(onnx, {**metadata(onnx), "kind": "gru", "task": "price"}))
    predictor.refresh()

    assert predictor.predict_price("aapl", 1).predictions[0].price == pytest.approx(102)
    assert predictor.predict_price("AAPL", 1).model_type == "gru"
    assert predictor.predict_price("MSFT", 1).model_type == "lstm"
    assert predictor.predict_signal("AAPL").model_type == "ensemble"


def test_each_session_ahead_has_its_price_its_change_and_its_interval(predictor):
    points = predictor.predict_price("AAPL", 2).predictions
    assert [(point.day, point.date) for point in points] == [(1, date(2013, 3, 4)), (2, date(2013, 3, 5))]
    figures = [[point.price, point.change_pct, point.lower, point.upper] for point in points]
    np.testing.assert_allclose(figures, [[101.0, 1.0, 97.97, 104.03], [102.01, 2.01, 98.9497, 105.0703]], rtol=1e-6)


@pytest.mark.parametrize("horizon", [1, 30])
def test_the_horizon_is_the_number_of_sessions_forecast(predictor, horizon):
    assert [point.day for point in predictor.predict_price("AAPL", horizon).predictions] == list(range(1, horizon + 1))


def test_dates_beyond_the_published_calendar_are_marked(predictor, tmp_path, write_snapshot):
    write_snapshot(tmp_path, "AAPL", data_version="beef", calendar_end=date(2013, 3, 5))
    predictor.snapshots.check()
    assert predictor.predict_price("AAPL", 2).dates_estimated_after is None
    assert predictor.predict_price("AAPL", 3).dates_estimated_after == date(2013, 3, 5)


def test_a_signal_answer_has_every_field(predictor, clock):
    assert predictor.predict_signal("AAPL").model_dump() == {
        "ticker": "AAPL",
        "model_type": "ensemble",
        "model_version": "1",
        "model_data_end": date(2013, 3, 1),
        "current_price": 100.0,
        "as_of": date(2013, 3, 1),
        "currency": "USD",
        "skill": {"horizon": None, "beats_naive": True, "p_value": 0.02, "mase": None, "skill": 0.03},
        "evidence": PROOF,
        "stale": False,
        "age_sessions": 1,
        "cached": False,
        "timestamp": clock.now,
        "disclaimer": DISCLAIMER,
        "scale_version": None,
        "horizon": 5,
        "signal": "buy",
        "likeliest": "buy",
        "confidence": 0.5,
        "probabilities": {"sell": 0.25, "hold": 0.25, "buy": 0.5},
        "reason_code": "model",
        "reason": "The model finds this likelier than usual. Probabilities: buy 50%, hold 25%, sell 25%. "
        "Out of sample the model was better than guessing from past frequencies. "
        f"Evidence for its signals: {PROOF['says']}.",
    }


@pytest.fixture
def with_20_sessions(monkeypatch):
    """Use the ensemble of 20 sessions too."""
    monkeypatch.setitem(MODEL_KINDS, "ensemble_20", select_kinds("lstm,ensemble,ensemble_20")["ensemble_20"])


def add_signals(registry, models, horizon, name="ensemble_20"):
    onnx = models.ensemble("AAPL", probabilities=(0.5, 0.25, 0.25))
    study = {**metadata(onnx)["study"], "config": {"horizon": horizon}}
    registry.add(f"{name}-AAPL", with_metadata(onnx, {**metadata(onnx), "kind": name, "study": study}))


def test_a_signal_of_another_horizon_is_of_the_kind_that_has_it(predictor, registry, models, with_20_sessions):
    add_signals(registry, models, 20)
    predictor.refresh()

    answers = {horizon: predictor.predict_signal("AAPL", horizon) for horizon in (None, 5, 20)}

    assert {horizon: (one.model_type, one.horizon, one.likeliest) for horizon, one in answers.items()} == {
        None: ("ensemble", 5, "buy"),
        5: ("ensemble", 5, "buy"),
        20: ("ensemble_20", 20, "sell"),
    }
    assert {horizon: one.evidence.discovered for horizon, one in answers.items()} == {None: True, 5: True, 20: False}


@pytest.mark.parametrize("horizon", [1, 20])
def test_a_horizon_of_no_kind_in_use_is_refused(predictor, horizon):
    message = f"^ensemble-AAPL has signals of the next 5 sessions, not {horizon}: the kinds in use are for 5, and"
    with pytest.raises(UserError, match=message):
        predictor.predict_signal("AAPL", horizon)


def test_the_horizon_of_the_version_counts_and_not_that_of_its_kind(predictor, registry, models):
    add_signals(registry, models, 10, "ensemble")
    predictor.refresh()

    assert predictor.predict_signal("AAPL", 10).horizon == predictor.predict_signal("AAPL").horizon == 10
    with pytest.raises(UserError, match="^ensemble-AAPL has signals of the next 10 sessions, not 5: "):
        predictor.predict_signal("AAPL", 5)


def test_a_horizon_whose_model_is_not_trained_is_not_answered_by_another(
    predictor, tmp_path, write_snapshot, with_20_sessions
):
    with pytest.raises(ModelUnavailable, match="^ensemble_20-AAPL has no version in Production yet$"):
        predictor.predict_signal("AAPL", 20)

    write_snapshot(tmp_path, "AAPL", data_version="beef", distribution=normal_distribution())
    predictor.snapshots.check()

    with pytest.raises(ModelUnavailable, match="^ensemble_20-AAPL has no version in Production yet$"):
        predictor.predict_signal("AAPL", 20)


def test_a_signal_is_held_back_until_its_evidence_makes_a_claim(predictor, tmp_path):
    weak = {"log_e_value": log(3), "since": "2012-05-04"}
    publish(tmp_path, "forecast_evidence", "MSFT", {"price": {}, "signal": {"5": weak}})
    answer = predictor.predict_signal("MSFT")
    assert (answer.signal, answer.likeliest, answer.reason_code) == ("hold", "buy", "not_discovered")
    assert answer.reason.startswith("The model abstains: the evidence for its signals is not enough")
    assert answer.reason.endswith(
        "Evidence for its signals: 3 to 1 since May 2012; the next claim among 2 tickers asks 20 to 1."
    )


def test_an_answer_in_the_cache_is_left_when_its_evidence_changes(predictor, tmp_path):
    assert predictor.predict_signal("AAPL").signal == predictor.predict_signal("AAPL").signal == "buy"
    publish(tmp_path, "forecast_evidence", "AAPL", {"signal": {"5": {"log_e_value": 0.0, "since": "2012-05-04"}}})
    answer = predictor.predict_signal("AAPL")
    assert (answer.cached, answer.signal, answer.evidence.e_value) == (False, "hold", 1.0)


def test_evidence_that_cannot_be_read_is_none(predictor, tmp_path):
    for facts in ({}, {"signal": []}, {"signal": {"5": {"log_e_value": "?"}}}):
        publish(tmp_path, "forecast_evidence", "AAPL", facts)
        answer = predictor.predict_signal("AAPL")
        assert (answer.reason_code, answer.evidence.says) == ("not_discovered", "no outcome yet")


def test_the_claims_of_other_tickers_follow_at_the_next_check(predictor, tmp_path):
    predictor.predict_signal("AAPL")
    publish_claims(tmp_path, *(f"T{number}" for number in range(2)))
    assert predictor.predict_signal("AAPL").evidence.says.endswith("among 2 tickers")
    predictor.universe.check()
    assert predictor.predict_signal("AAPL").evidence.says.endswith("among 4 tickers")
    shutil.rmtree(tmp_path / "data" / "forecast_evidence" / "T0")
    predictor.universe.check()
    assert predictor.predict_signal("AAPL").evidence.says.endswith("among 3 tickers")


def test_a_model_that_failed_its_baseline_abstains_and_says_so(predictor, registry, models):
    study = models.study(proven=False)
    registry.add("ensemble-AAPL", models.ensemble("AAPL", study=study, evidence={"beats_naive": False}))
    answer = predictor.predict_signal("AAPL")
    assert (answer.signal, answer.likeliest, answer.confidence) == ("hold", "buy", 0.25)
    assert answer.reason_code == "fails_baseline"
    assert answer.reason == (
        "The model abstains: on what it had not seen it knew the direction no better than chance. "
        "Probabilities: buy 50%, hold 25%, sell 25%. "
        "Out of sample the model was no better than guessing from past frequencies. "
        f"Evidence for its signals: {PROOF['says']}."
    )


def test_a_model_that_hardly_leaves_the_base_rates_abstains(predictor, registry, models):
    registry.add("ensemble-AAPL", models.ensemble("AAPL", probabilities=(0.3, 0.35, 0.35)))
    answer = predictor.predict_signal("AAPL")
    assert (answer.signal, answer.reason_code) == ("hold", "low_confidence")


def test_a_model_abstains_outside_its_training_range(predictor, write_snapshot, tmp_path):
    window = np.ones((60, 14), np.float32)
    window[-1, 3] = 2.3
    write_snapshot(tmp_path, "AAPL", window=window)
    answer = predictor.predict_signal("AAPL")
    assert (answer.signal, answer.reason_code) == ("hold", "outside_training_range")


def test_a_signal_on_stale_data_is_hold(predictor, clock):
    clock.now = clock.now.replace(day=8)
    assert predictor.predict_signal("AAPL").reason_code == "model"
    clock.now = clock.now.replace(day=11)
    answer = predictor.predict_signal("AAPL")
    assert (answer.stale, answer.signal, answer.reason_code) == (True, "hold", "stale_data")


def test_a_model_that_does_not_say_what_it_was_trained_on_gives_no_signal(predictor, registry, models):
    registry.add("ensemble-AAPL", models.ensemble("AAPL", study={}))
    with pytest.raises(ModelUnavailable, match=r"^ensemble-AAPL version 2 .*does not say its limits: train it again$"):
        predictor.predict_signal("AAPL")


def test_each_ticker_is_answered_by_its_own_model(predictor, registry, models):
    registry.add("lstm-MSFT", models.lstm("MSFT", growth=0.5))
    assert predictor.predict_price("AAPL", 1).predictions[0].price == pytest.approx(101.0)
    assert predictor.predict_price("MSFT", 1).predictions[0].price == pytest.approx(50.0)


def test_the_second_answer_is_cached_unless_use_cache_is_false(predictor, clock):
    first = predictor.predict_price("AAPL", 5)
    clock.now = clock.now.replace(hour=22)
    second = predictor.predict_price("AAPL", 5)
    assert (first.cached, second.cached) == (False, True)
    assert second.model_copy(update={"cached": False}) == first
    assert predictor.predict_price("AAPL", 5, use_cache=False).timestamp == clock.now
    assert not predictor.predict_price("AAPL", 6).cached
    assert not predictor.predict_price("MSFT", 5).cached


def test_a_promotion_new_data_and_a_new_day_bypass_the_cache(
    predictor, registry, models, write_snapshot, tmp_path, clock
):
    predictor.predict_signal("AAPL")
    registry.add("ensemble-AAPL", models.ensemble("AAPL", probabilities=(1, 0, 0)))
    predictor.models.refresh()
    answer = predictor.predict_signal("AAPL")
    assert (answer.cached, answer.model_version, answer.signal) == (False, "2", "sell")
    write_snapshot(tmp_path, "AAPL", data_version="beef", close=50.0)
    assert predictor.predict_signal("AAPL").current_price == 50.0
    clock.now = clock.now.replace(day=20)
    assert predictor.predict_signal("AAPL").stale


@pytest.mark.parametrize(
    ("today", "age", "stale"),
    [((2013, 3, 3), 0, False), ((2013, 3, 8), 5, False), ((2013, 3, 11), 6, True), ((2026, 11, 22), 30, True)],
)
def test_age_counts_the_sessions_since_the_data_ended(predictor, models, clock, today, age, stale):
    clock.now = datetime(*today, tzinfo=UTC)
    answer = predictor.predict_price("AAPL")
    assert (answer.age_sessions, answer.stale) == (age, stale)
    assert age_in_sessions(models.snapshot("AAPL"), clock.now) == age


def test_a_model_trained_on_other_features_is_refused(predictor, write_snapshot, tmp_path):
    write_snapshot(tmp_path, "AAPL", feature_spec="another")
    with pytest.raises(FeatureMismatch, match="lstm-AAPL version 1 was trained on features 0123456789abcdef"):
        predictor.predict_price("AAPL")
    with pytest.raises(FeatureMismatch, match="holds another: train it again"):
        predictor.predict_signal("AAPL")


def test_a_model_trained_on_later_prices_is_refused(predictor, registry, models, write_snapshot, tmp_path):
    registry.add("lstm-AAPL", models.lstm("AAPL", data_end="2099-01-01"))
    with pytest.raises(FeatureMismatch, match="trained on prices up to 2099-01-01, the data of AAPL end on"):
        predictor.predict_price("AAPL")


def test_a_home_that_is_a_file_is_a_user_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is a file"):
        make_predictor(Settings(zenith_home=tmp_path / "file" / "home"))


def test_a_forecast_that_is_not_a_number_is_refused(predictor, registry, models):
    registry.add("lstm-AAPL", models.lstm("AAPL", growth=np.inf))
    registry.add("ensemble-AAPL", models.ensemble("AAPL", probabilities=(0, 0, np.nan)))
    for predict in (predictor.predict_price, predictor.predict_signal):
        with pytest.raises(ModelUnavailable, match="not a number"):
            predict("AAPL")


def test_invalid_questions_are_refused(predictor):
    with pytest.raises(InvalidTicker):
        predictor.predict_price("../../etc")
    with pytest.raises(UnknownTicker):
        predictor.predict_signal("AAPX")
    with pytest.raises(UserError, match="1 to 30"):
        predictor.predict_price("AAPL", 31)


def test_an_answer_is_ready_once_memory_holds_all_it_needs(predictor, write_snapshot, tmp_path):
    assert not predictor.ready(["lstm"], "AAPL")
    predictor.predict_price("AAPL")
    assert predictor.ready(["lstm"], "AAPL")
    assert not predictor.ready(["ensemble"], "AAPL")
    assert not predictor.ready(["lstm"], "MSFT")
    write_snapshot(tmp_path, "AAPL", data_version="beef")
    assert not predictor.ready(["lstm"], "AAPL")


def test_new_data_and_a_new_version_are_forecast_before_a_request_asks(
    predictor, registry, models, write_snapshot, tmp_path
):
    predictor.predict_price("AAPL")
    write_snapshot(tmp_path, "AAPL", data_version="beef", close=200.0)
    registry.add("lstm-AAPL", models.lstm("AAPL", growth=1.5))
    predictor.refresh()  # as the watcher does every two seconds
    assert predictor.ready(["lstm"], "AAPL")
    answer = predictor.predict_price("AAPL")
    assert (answer.model_version, answer.predictions[0].price) == ("2", pytest.approx(300.0))


def test_data_removed_before_a_refresh_are_left_to_the_request(predictor, tmp_path):
    predictor.predict_price("AAPL")
    (tmp_path / "data" / "serving_snapshot" / "AAPL" / "current.json").unlink()
    predictor.refresh()
    with pytest.raises(UnknownTicker):
        predictor.predict_price("AAPL")


def test_an_answer_without_the_cache_is_cached_for_the_next(predictor):
    for kind in ("lstm", "ensemble"):
        answer = predictor.answer(kind, "AAPL", 7, use_cache=False)
        assert predictor.answer(kind, "AAPL", 7) == answer.replace(b'"cached":false', b'"cached":true')


@pytest.mark.parametrize("name", ["mase", "coverage"])
def test_evidence_that_is_not_a_number_is_refused(predictor, registry, models, name):
    registry.add("lstm-AAPL", models.lstm("AAPL", evidence={name: float("nan")}))
    with pytest.raises(ModelUnavailable, match="the out-of-sample skill of lstm-AAPL version 2 is not a number"):
        predictor.predict_price("AAPL")


def test_evidence_is_that_of_the_nearest_evaluated_horizon():
    evidence = {"mase": 9.0, "by_horizon": {"1": {"mase": 1.0}, "5": {"mase": 5.0}, "20": {"mase": 20.0}}}
    nearest = [nearest_evidence(evidence, horizon) for horizon in (2, 7, 30)]
    assert nearest == [{"mase": 1.0, "horizon": 1}, {"mase": 5.0, "horizon": 5}, {"mase": 20.0, "horizon": 20}]
    assert nearest_evidence({"mase": 9.0}, 5) == {"mase": 9.0}


def test_a_predictor_made_from_settings_answers_from_the_registry_in_mlflow(settings):
    predictor = make_predictor(settings)
    assert predictor.predict_price("MSFT").predictions[0].price == pytest.approx(101.0)
    with pytest.raises(ModelUnavailable, match="lstm-IBM has no version in Production yet"):
        predictor.predict_price("IBM")


def test_without_registry_or_data_a_predictor_can_be_made_and_says_what_is_missing(settings, tmp_path_factory):
    empty = settings.model_copy(update={"zenith_home": tmp_path_factory.mktemp("empty")})
    with pytest.raises(UnknownTicker, match="zenith run"):
        make_predictor(empty).predict_price("AAPL")


def test_a_delisted_ticker_is_stale_until_its_last_forecast_session_has_passed_and_then_gone(
    predictor, clock, models, tmp_path
):
    last = models.snapshot("AAPL").next_sessions[-1]
    clock.now = datetime(last.year, last.month, last.day, 22, tzinfo=UTC)
    assert predictor.predict_price("AAPL").stale  # not delisted: stale for ever
    publish(tmp_path, "delisted", "AAPL", {"reason": "yahoo: last traded on 2013-03-01"})
    predictor.snapshots.check()  # as the watcher does every two seconds
    with pytest.raises(TickerGone, match="AAPL is no longer traded: yahoo: last traded on 2013-03-01"):
        predictor.predict_price("AAPL")
    assert predictor.predict_signal("MSFT").stale
    clock.now -= timedelta(days=1)
    assert (predictor.predict_price("AAPL").stale, predictor.predict_price("AAPL").age_sessions) == (True, 29)


def test_each_answer_is_reported_to_the_observer(predictor):
    answers = []
    predictor.on_answer = lambda task, cached: answers.append((task, cached))
    predictor.predict_price("AAPL")
    predictor.predict_price("AAPL")
    predictor.predict_signal("AAPL", use_cache=False)
    assert answers == [("price", False), ("price", True), ("signal", False)]
