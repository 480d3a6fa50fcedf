import threading
from datetime import date

import numpy as np
import pytest

from zenith_serving.errors import FeatureMismatch, ModelUnavailable, RegistryUnavailable
from zenith_serving.prediction import model_store
from zenith_serving.prediction.last_known_good import LastKnownGood
from zenith_serving.prediction.loaded_model import misfit, open_model
from zenith_serving.prediction.model_store import MODEL_BYTES, ModelStore


@pytest.fixture
def copies(tmp_path):
    return LastKnownGood(tmp_path)


@pytest.fixture
def snapshots(models):
    """The current snapshot of each ticker: always the same object, as SnapshotStore returns it."""
    return {ticker: models.snapshot(ticker) for ticker in ("A", "B", "C", "AAPL", "MSFT")}


@pytest.fixture
def store(registry, copies, models):
    for ticker in ("AAPL", "MSFT"):
        registry.add(f"lstm-{ticker}", models.lstm(ticker))
        registry.add(f"ensemble-{ticker}", models.ensemble(ticker))
    return ModelStore(registry, copies)


@pytest.fixture
def sessions(monkeypatch):
    """The (name, version) of each ONNX session that the store opens."""
    versions = []

    def open_and_note(name, version, onnx, earlier_tickers):
        versions.append((name, version))
        return open_model(name, version, onnx, earlier_tickers)

    monkeypatch.setattr(model_store, "open_model", open_and_note)
    return versions


def price(model):
    return model.forecast[0].price


def test_each_ticker_and_kind_has_its_own_model(store, snapshots):
    models = [store.get(kind, snapshots[ticker]) for kind in ("lstm", "ensemble") for ticker in ("AAPL", "MSFT")]
    assert [model.name for model in models] == ["lstm-AAPL", "lstm-MSFT", "ensemble-AAPL", "ensemble-MSFT"]
    assert [model.kind for model in models] == ["lstm", "lstm", "ensemble", "ensemble"]
    assert [model.facts["ticker"] for model in models] == ["AAPL", "MSFT", "AAPL", "MSFT"]


def test_a_forecast_is_computed_on_first_use_and_kept_without_its_session(store, snapshots, sessions):
    assert store.peek("lstm", snapshots["AAPL"]) is None
    model = store.get("lstm", snapshots["AAPL"])
    assert store.get("lstm", snapshots["AAPL"]) is store.peek("lstm", snapshots["AAPL"]) is model
    assert sessions == [("lstm-AAPL", 1)]
    assert price(model) == pytest.approx(101.0)


def test_a_new_snapshot_is_forecast_once_by_the_same_version(store, registry, models, snapshots, sessions):
    store.get("lstm", snapshots["AAPL"])
    new = models.snapshot("AAPL", close=200.0)
    assert store.peek("lstm", new) is None
    assert [price(store.get("lstm", new)) for _ in range(2)] == pytest.approx([202.0, 202.0])
    assert sessions == [("lstm-AAPL", 1)] * 2
    assert dict(registry.fetched) == {("lstm-AAPL", 1): 1}  # the second time from the copy on disk


@pytest.mark.parametrize("count", [3, 30])
def test_a_look_at_many_models_looks_for_as_many_copies_as_one_at_few(registry, copies, models, monkeypatch, count):
    monkeypatch.setattr(model_store, "_MAX_CHECKS", 2)
    for number in range(count):
        registry.add(f"lstm-T{number:02}", models.lstm(f"T{number:02}"))
    store, checks = ModelStore(registry, copies), []
    monkeypatch.setattr(copies, "has", lambda name, version, has=copies.has: checks.append(name) or has(name, version))

    store.refresh()
    assert checks == ["lstm-T00", "lstm-T01"]
    for _ in range(count // 2):
        store.refresh()
    assert len(registry.fetched) == count  # all of them once, when they are new
    registry.add("lstm-NEW", models.lstm("NEW"))
    checks.clear()
    store.refresh()
    assert (len(checks), checks[0]) == (2, "lstm-NEW")


def test_a_deleted_copy_is_made_again_when_its_turn_comes(store, registry, copies, tmp_path):
    store.refresh()
    for copy in tmp_path.rglob("*.onnx"):
        copy.unlink()
    store.refresh()
    assert copies.has("lstm-AAPL", 1)
    assert copies.has("ensemble-MSFT", 1)


def test_many_cold_callers_make_one_computation(store, registry, snapshots, sessions):
    registry.gate.clear()
    threads = [threading.Thread(target=store.get, args=("lstm", snapshots["AAPL"])) for _ in range(20)]
    for thread in threads:
        thread.start()
    registry.gate.set()
    for thread in threads:
        thread.join()
    assert sessions == [("lstm-AAPL", 1)]


def test_memory_is_bounded_by_dropping_the_least_recently_used(registry, copies, models, snapshots):
    for ticker in ("A", "B", "C"):
        registry.add(f"lstm-{ticker}", models.lstm(ticker))
    store = ModelStore(registry, copies, memory=2 * MODEL_BYTES)
    for ticker in ("A", "B", "A"):
        store.get("lstm", snapshots[ticker])
    store.refresh()  # looks at every model, and uses none
    store.get("lstm", snapshots["C"])
    assert [bool(store.peek("lstm", snapshots[ticker])) for ticker in ("A", "B", "C")] == [True, False, True]


def test_a_moved_alias_replaces_the_model_and_its_forecast_before_a_request_asks(
    store, registry, models, snapshots, sessions
):
    old = store.get("lstm", snapshots["AAPL"])
    registry.add("lstm-AAPL", models.lstm("AAPL", growth=1.5))
    assert store.get("lstm", snapshots["AAPL"]) is old
    store.refresh()
    new = store.peek("lstm", snapshots["AAPL"])
    assert (old.version, new.version) == (1, 2)
    assert (price(old), price(new)) == pytest.approx((101.0, 150.0))


def test_a_rollback_replaces_it_too(store, registry, models, snapshots):
    registry.add("lstm-AAPL", models.lstm("AAPL", growth=1.5))
    assert store.get("lstm", snapshots["AAPL"]).version == 2
    registry.aliases["lstm-AAPL"] = 1
    store.refresh()
    assert store.get("lstm", snapshots["AAPL"]).version == 1


def test_a_model_that_lost_its_alias_is_no_longer_served(store, registry, snapshots):
    store.get("lstm", snapshots["AAPL"])
    del registry.aliases["lstm-AAPL"]
    store.refresh()
    with pytest.raises(ModelUnavailable, match="lstm-AAPL has no version in Production yet"):
        store.get("lstm", snapshots["AAPL"])


@pytest.mark.parametrize("artifact", [b"", b"not onnx"])
def test_a_new_version_that_is_broken_leaves_the_old_one_and_is_reported(store, registry, snapshots, artifact):
    store.get("lstm", snapshots["AAPL"])
    registry.add("lstm-AAPL", artifact)
    store.refresh()
    assert store.get("lstm", snapshots["AAPL"]).version == 1
    assert list(store.state()["models"]["problems"]) == ["lstm-AAPL"]
    registry.aliases["lstm-AAPL"] = 1
    store.refresh()


def test_a_kept_forecast_survives_a_registry_outage(store, registry, snapshots):
    model = store.get("lstm", snapshots["AAPL"])
    registry.away = True
    store.refresh()
    assert store.get("lstm", snapshots["AAPL"]) is model
    registry_state = store.state()["registry"]
    assert (registry_state["state"], registry_state["detail"]) == ("away", "the registry is away")
    assert registry_state["last_look_seconds"] >= 0
    registry.away = False
    store.refresh()
    assert store.state()["registry"]["state"] == "ok"


def test_new_data_are_forecast_from_the_copy_during_an_outage(store, registry, models, snapshots):
    store.get("lstm", snapshots["AAPL"])
    registry.away = True
    store.refresh()
    assert price(store.get("lstm", models.snapshot("AAPL", close=200.0))) == pytest.approx(202.0)


def test_without_artifact_and_copy_the_forecast_from_the_earlier_snapshot_goes_on(
    tmp_path, registry, models, snapshots
):
    (tmp_path / "file").write_text("no folder for copies")
    store = ModelStore(registry, LastKnownGood(tmp_path / "file"))
    registry.add("lstm-AAPL", models.lstm("AAPL"))
    earlier = store.get("lstm", snapshots["AAPL"])
    registry.models["lstm-AAPL"][1] = b""
    assert store.get("lstm", models.snapshot("AAPL", close=200.0)) is earlier
    assert earlier.snapshot.close == 100.0


def test_a_cold_start_without_the_registry_uses_the_copies(store, registry, copies, snapshots):
    store.refresh()  # copies every model, in use or not
    registry.away = True
    model = ModelStore(registry, copies).get("ensemble", snapshots["MSFT"])
    assert (model.name, model.version) == ("ensemble-MSFT", 1)


def test_a_cold_start_without_the_registry_or_copies_says_what_is_missing(store, registry, snapshots):
    registry.away = True
    with pytest.raises(RegistryUnavailable, match="the registry is away"):
        store.get("lstm", snapshots["AAPL"])
    registry.away = False
    store.refresh()
    assert store.get("lstm", snapshots["AAPL"]).version == 1


def test_a_deleted_artifact_is_replaced_by_its_copy_or_reported(store, registry, copies, snapshots):
    registry.models["lstm-AAPL"][1] = b""
    with pytest.raises(ModelUnavailable, match="file is gone"):
        store.get("lstm", snapshots["AAPL"])
    store.get("lstm", snapshots["MSFT"])
    registry.add("lstm-MSFT", b"")
    assert ModelStore(registry, copies).get("lstm", snapshots["MSFT"]).version == 1


def test_names_in_the_registry_that_are_not_ours_are_ignored(store, registry):
    registry.add("../../etc", b"evil")
    registry.add("lstm-../../etc", b"evil")
    registry.add("churn-model", b"of another team")
    store.refresh()
    assert {name for name, _ in registry.fetched} == {"lstm-AAPL", "lstm-MSFT", "ensemble-AAPL", "ensemble-MSFT"}


def test_a_model_of_an_older_spec_gets_its_inputs_from_the_snapshot(store, registry, models):
    window = np.full((60, 14), 2.0, dtype=np.float32)
    earlier = models.snapshot("AAPL", close=50.0, window=window)
    snapshot = models.snapshot("AAPL", feature_spec="newer", other_specs={models.SPEC: earlier})
    model = store.get("lstm", snapshot)
    assert (price(model), model.snapshot) == (pytest.approx(50.5), earlier)
    assert store.peek("lstm", snapshot) is model
    assert store.get("ensemble", snapshot).forecast.fresh.reason == "model"
    registry.add("ensemble-AAPL", models.ensemble("AAPL", study=models.study(upper=1.0)))
    store.refresh()
    assert store.peek("ensemble", snapshot).forecast.fresh.reason == "outside_training_range"


def test_a_model_whose_spec_the_snapshot_lacks_has_no_forecast_and_opens_one_session(store, models, sessions):
    snapshot = models.snapshot("AAPL", feature_spec="newer")
    for _ in range(2):
        with pytest.raises(FeatureMismatch, match="trained on features 0123456789abcdef, the data of AAPL holds newer"):
            _ = store.get("lstm", snapshot).forecast
    assert sessions == [("lstm-AAPL", 1)]


def test_a_model_made_for_another_ticker_is_refused(models):
    with pytest.raises(ModelUnavailable, match="another ticker"):
        open_model("lstm-MSFT", 1, models.lstm("AAPL"))
    with pytest.raises(ModelUnavailable, match="another kind"):
        open_model("ensemble-AAPL", 1, models.lstm("AAPL"))


def test_a_model_without_a_feature_spec_is_refused(models):
    with pytest.raises(ModelUnavailable, match="not a model of ours"):
        open_model("lstm-AAPL", 1, models.lstm("AAPL", spec=""))


def test_without_memory_for_models_they_are_served_and_not_kept(registry, copies, models, snapshots):
    registry.add("lstm-A", models.lstm("A"))
    store = ModelStore(registry, copies, memory=1)
    assert store.get("lstm", snapshots["A"]).version == 1
    assert store.peek("lstm", snapshots["A"]) is None


OTHERS = [
    ({"onnxruntime": "99.0.0"}, "was written by onnxruntime 99.0.0, this service has"),
    ({"zenith": "9.1.0"}, "was written by zenith 9.1.0, this service has"),
    ({"onnxruntime": "0.9"}, "was written by onnxruntime 0.9"),
    ({"zenith": "unknown"}, "was written by zenith unknown"),
]


@pytest.mark.parametrize(("versions", "reason"), OTHERS)
def test_an_artifact_of_other_library_versions_is_refused_and_the_last_good_one_stays(
    store, registry, copies, models, snapshots, versions, reason
):
    store.refresh()
    store.get("ensemble", snapshots["AAPL"])
    registry.add("ensemble-AAPL", models.ensemble("AAPL", versions=versions))
    store.refresh()
    assert store.get("ensemble", snapshots["AAPL"]).version == 1
    assert reason in store.state()["models"]["problems"]["ensemble-AAPL"]
    assert ModelStore(registry, copies).get("ensemble", snapshots["AAPL"]).version == 1  # after a restart as well


def test_an_artifact_of_an_unknown_opset_is_refused_with_the_reason(models):
    from onnx import ModelProto

    model = ModelProto.FromString(models.lstm("AAPL"))
    model.opset_import[0].version = 999
    with pytest.raises(ModelUnavailable, match="cannot be loaded by onnxruntime .*opset"):
        open_model("lstm-AAPL", 1, model.SerializeToString())


def test_a_newer_minor_version_is_refused_and_an_older_one_or_another_library_is_not():
    from importlib.metadata import version

    major, minor, *_ = version("onnxruntime").split(".")
    assert misfit({"onnxruntime": f"{major}.0.1", "numpy": "99.0", "zenith": version("zenith")}) is None
    assert misfit({"onnxruntime": f"{major}.{minor}.99"}) is None
    assert misfit({}) is None
    newer = f"{major}.{int(minor) + 1}.0"
    assert misfit({"onnxruntime": newer}).startswith(f"was written by onnxruntime {newer}, this service has")


def test_a_snapshot_that_ends_before_the_model_leaves_the_last_good_forecast(store, models, snapshots, sessions):
    good = store.get("lstm", snapshots["AAPL"])
    shorter = models.snapshot("AAPL", as_of=date(2012, 5, 31), close=1.0)
    model = store.get("lstm", shorter)
    assert (price(model), model.snapshot) == (price(good), snapshots["AAPL"])
    assert store.peek("lstm", shorter) is model
    assert sessions == [("lstm-AAPL", 1)] * 2  # once for each snapshot
    assert "the data of AAPL end on 2012-05-31" in store.state()["models"]["problems"]["lstm-AAPL"]
    store.get("lstm", models.snapshot("AAPL", close=200.0))
    assert store.state()["models"]["problems"] == {}


def test_a_promoted_version_without_a_forecast_leaves_the_last_good_one_and_is_run_once(
    store, registry, models, snapshots, sessions
):
    good = store.get("lstm", snapshots["AAPL"])
    registry.add("lstm-AAPL", models.lstm("AAPL", spec="another"))
    for _ in range(3):
        store.refresh()
    model = store.get("lstm", snapshots["AAPL"])
    assert (model.version, price(model)) == (1, price(good))
    assert sessions.count(("lstm-AAPL", 2)) == 1
    assert "trained on features another" in store.state()["models"]["problems"]["lstm-AAPL"]
    registry.add("lstm-AAPL", models.lstm("AAPL", growth=2.0))
    store.refresh()
    assert price(store.peek("lstm", snapshots["AAPL"])) == pytest.approx(200.0)
    assert store.state()["models"]["problems"] == {}


def test_a_version_that_cannot_be_loaded_is_opened_once_until_it_changes_or_a_refresh_is_requested(
    store, registry, snapshots, sessions, models
):
    registry.add("lstm-AAPL", b"not onnx")
    for _ in range(5):
        store.refresh()
        with pytest.raises(ModelUnavailable, match="cannot be loaded"):
            store.get("lstm", snapshots["AAPL"])
    assert registry.fetched["lstm-AAPL", 2] == 1
    store.refresh(retry=True)
    assert registry.fetched["lstm-AAPL", 2] == 2
    registry.add("lstm-AAPL", models.lstm("AAPL"))
    store.refresh()
    assert ("lstm-AAPL", 3) in sessions
    assert store.state()["models"]["problems"] == {}


def test_a_file_that_does_not_come_is_fetched_again_after_a_pause_that_grows(store, registry, snapshots, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(model_store.time, "monotonic", lambda: now[0])
    onnx, registry.models["lstm-AAPL"][1] = registry.models["lstm-AAPL"][1], b""
    attempts = []
    for _ in range(200):
        store.refresh()
        attempts.append(registry.fetched["lstm-AAPL", 1])
        now[0] += 1.0
    assert [attempts.index(number) for number in range(1, 7)] == [0, 5, 15, 35, 75, 155]
    registry.models["lstm-AAPL"][1] = onnx
    now[0] += 600
    store.refresh()
    assert store.state()["models"]["problems"] == {}
    assert store.get("lstm", snapshots["AAPL"]).version == 1


def test_the_return_of_the_registry_ends_the_pauses_of_its_outage(store, registry, snapshots, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(model_store.time, "monotonic", lambda: now[0])
    store._read_aliases()
    registry.away = True
    for _ in range(100):  # an outage of 100 s, in which the model is asked for
        store.refresh()
        now[0] += 1.0
        with pytest.raises(RegistryUnavailable):
            store.get("lstm", snapshots["AAPL"])
    registry.away = False
    store.refresh()
    assert store.get("lstm", snapshots["AAPL"]).version == 1
    assert store.state()["models"]["problems"] == {}


def test_a_failure_that_is_noted_after_another_thread_has_made_the_copy_is_forgotten(
    store, registry, snapshots, monkeypatch
):
    now = [1000.0]
    monkeypatch.setattr(model_store.time, "monotonic", lambda: now[0])
    store.refresh()  # copies all
    store._note_failure("lstm-AAPL", 1, ModelUnavailable("it came damaged"), 5.0)
    assert store.get("lstm", snapshots["AAPL"]).version == 1  # from the copy, without the pause
    store._note_failure("lstm-AAPL", 1, ModelUnavailable("it came damaged"), 5.0)
    now[0] += 6
    store.refresh()
    assert store.state()["models"]["problems"] == {}


def test_problems_of_a_model_that_left_production_are_forgotten(store, registry):
    registry.add("lstm-AAPL", b"not onnx")
    store.refresh()
    assert list(store.state()["models"]["problems"]) == ["lstm-AAPL"]
    del registry.aliases["lstm-AAPL"]
    store.refresh()
    assert store.state()["models"]["problems"] == {}


def test_a_look_that_does_not_end_is_reported_while_it_lasts(store, registry, monkeypatch):
    monkeypatch.setattr(model_store, "SLOW_SECONDS", 0.0)
    ask, states = registry.production, []

    def slow():
        states.append(store.state()["registry"])
        return ask()

    registry.production = slow
    store.refresh()
    assert (states[0]["state"], states[0]["last_look_seconds"]) == ("away", None)
    assert "has not answered for" in states[0]["detail"]
    assert store.state()["registry"]["state"] == "ok"


def test_a_model_file_that_does_not_come_is_reported_too(store, registry, snapshots, monkeypatch):
    monkeypatch.setattr(model_store, "SLOW_SECONDS", 0.0)
    fetch, states = registry.fetch, []

    def slow(name, version):
        states.append(store.state()["registry"]["state"])
        return fetch(name, version)

    registry.fetch = slow
    store.get("lstm", snapshots["AAPL"])
    assert states == ["away"]
    assert store.state()["registry"]["state"] == "ok"


def test_while_the_registry_is_away_no_model_file_is_waited_for(registry, copies, models, snapshots):
    registry.add("lstm-AAPL", models.lstm("AAPL"))
    store = ModelStore(registry, copies)
    registry.fetch = lambda name, version: pytest.fail("it would be waited for")
    store._read_aliases()
    registry.away = True
    store.refresh()
    with pytest.raises(RegistryUnavailable, match="the registry is away"):
        store.get("lstm", snapshots["AAPL"])


def test_an_alias_that_moves_during_a_computation_is_followed_before_the_answer(store, registry, models, snapshots):
    fetch, versions = registry.fetch, []

    def fetch_and_promote(name, version):
        onnx = fetch(name, version)
        versions.append(version)
        if len(versions) == 1:
            registry.add("lstm-AAPL", models.lstm("AAPL", growth=1.5))
            store.refresh()  # the watcher sees it; the model is not in memory yet
        return onnx

    registry.fetch = fetch_and_promote
    assert store.get("lstm", snapshots["AAPL"]).version == 2
