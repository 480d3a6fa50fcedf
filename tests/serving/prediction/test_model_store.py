import threading

import pytest

from zenith_serving.errors import ModelUnavailable, RegistryUnavailable
from zenith_serving.prediction.last_known_good import LastGood
from zenith_serving.prediction.loaded_model import misfit, open_model
from zenith_serving.prediction.model_store import ModelStore


@pytest.fixture
def copies(tmp_path):
    return LastGood(tmp_path)


@pytest.fixture
def store(registry, copies, models):
    for ticker in ("AAPL", "MSFT"):
        registry.add(f"lstm-{ticker}", models.lstm(ticker))
        registry.add(f"ensemble-{ticker}", models.ensemble(ticker))
    return ModelStore(registry, copies)


def test_each_ticker_and_kind_has_its_own_model(store):
    served = [store.get(kind, ticker) for kind in ("lstm", "ensemble") for ticker in ("AAPL", "MSFT")]
    assert [model.name for model in served] == ["lstm-AAPL", "lstm-MSFT", "ensemble-AAPL", "ensemble-MSFT"]
    assert [model.facts["ticker"] for model in served] == ["AAPL", "MSFT", "AAPL", "MSFT"]
    assert len({id(model.run.__self__) for model in served}) == 4


def test_a_model_is_loaded_on_first_use_and_once(store, registry):
    assert not store.is_loaded("lstm", "AAPL")
    assert store.get("lstm", "AAPL") is store.get("lstm", "AAPL")
    assert store.is_loaded("lstm", "AAPL")
    assert dict(registry.fetched) == {("lstm-AAPL", 1): 1}


def test_many_cold_callers_load_it_once(store, registry):
    registry.gate.clear()
    threads = [threading.Thread(target=store.get, args=("lstm", "AAPL")) for _ in range(20)]
    for thread in threads:
        thread.start()
    registry.gate.set()
    for thread in threads:
        thread.join()
    assert registry.fetched["lstm-AAPL", 1] == 1


def test_memory_is_bounded_by_dropping_the_least_recently_used(registry, copies, models):
    for ticker in ("A", "B", "C"):
        registry.add(f"lstm-{ticker}", models.lstm(ticker))
    store = ModelStore(registry, copies, memory=2 * open_model("lstm-A", 1, models.lstm("A")).memory)
    for ticker in ("A", "B", "A", "C"):
        store.get("lstm", ticker)
    assert [store.is_loaded("lstm", ticker) for ticker in ("A", "B", "C")] == [True, False, True]


def test_a_moved_alias_swaps_the_model_and_the_old_one_still_answers_who_holds_it(store, registry, models):
    old = store.get("lstm", "AAPL")
    registry.add("lstm-AAPL", models.lstm("AAPL", growth=1.5))
    assert store.get("lstm", "AAPL") is old
    store.refresh()
    assert (old.version, store.get("lstm", "AAPL").version) == (1, 2)
    assert old.run is not store.get("lstm", "AAPL").run


def test_a_rollback_swaps_too(store, registry, models):
    registry.add("lstm-AAPL", models.lstm("AAPL", growth=1.5))
    assert store.get("lstm", "AAPL").version == 2
    registry.aliases["lstm-AAPL"] = 1
    store.refresh()
    assert store.get("lstm", "AAPL").version == 1


def test_a_model_that_lost_its_alias_is_served_no_more(store, registry):
    store.get("lstm", "AAPL")
    del registry.aliases["lstm-AAPL"]
    store.refresh()
    with pytest.raises(ModelUnavailable, match="lstm-AAPL has no version in Production yet"):
        store.get("lstm", "AAPL")


@pytest.mark.parametrize("broken", [b"", b"not onnx"])
def test_a_new_version_that_cannot_be_had_leaves_the_old_one_and_says_so(store, registry, broken):
    store.get("lstm", "AAPL")
    registry.add("lstm-AAPL", broken)
    store.refresh()
    assert store.get("lstm", "AAPL").version == 1
    assert list(store.state()["models"]["problems"]) == ["lstm-AAPL"]
    registry.aliases["lstm-AAPL"] = 1
    store.refresh()


def test_what_is_loaded_goes_on_while_the_registry_is_away(store, registry):
    model = store.get("lstm", "AAPL")
    registry.away = True
    store.refresh()
    assert store.get("lstm", "AAPL") is model
    assert store.state()["registry"] == {"state": "away", "detail": "the registry is away"}
    registry.away = False
    store.refresh()
    assert store.state()["registry"]["state"] == "ok"


def test_a_cold_start_without_the_registry_uses_the_last_good_copies(store, registry, copies):
    store.refresh()  # copies every model, asked for or not
    registry.away = True
    cold = ModelStore(registry, copies)
    assert (cold.get("ensemble", "MSFT").name, cold.get("ensemble", "MSFT").version) == ("ensemble-MSFT", 1)


def test_a_cold_start_without_the_registry_or_copies_says_what_is_missing(store, registry):
    registry.away = True
    with pytest.raises(RegistryUnavailable, match="the registry is away"):
        store.get("lstm", "AAPL")
    registry.away = False
    store.refresh()
    assert store.get("lstm", "AAPL").version == 1


def test_a_deleted_artifact_is_replaced_by_the_last_good_copy_or_reported(store, registry, copies):
    registry.models["lstm-AAPL"][1] = b""
    with pytest.raises(ModelUnavailable, match="file is gone"):
        store.get("lstm", "AAPL")
    store.get("lstm", "MSFT")
    registry.add("lstm-MSFT", b"")
    assert ModelStore(registry, copies).get("lstm", "MSFT").version == 1


def test_names_in_the_registry_that_are_not_ours_are_left_alone(store, registry, tmp_path):
    registry.add("../../etc", b"evil")
    registry.add("lstm-../../etc", b"evil")
    registry.add("churn-model", b"somebody else's")
    store.refresh()
    assert {name for name, _ in registry.fetched} == {"lstm-AAPL", "lstm-MSFT", "ensemble-AAPL", "ensemble-MSFT"}


def test_a_model_made_for_another_ticker_is_refused(models):
    with pytest.raises(ModelUnavailable, match="another ticker"):
        open_model("lstm-MSFT", 1, models.lstm("AAPL"))
    with pytest.raises(ModelUnavailable, match="another kind"):
        open_model("ensemble-AAPL", 1, models.lstm("AAPL"))


def test_a_model_without_a_feature_spec_is_refused(models):
    with pytest.raises(ModelUnavailable, match="not a model of ours"):
        open_model("lstm-AAPL", 1, models.lstm("AAPL", spec=""))


def test_a_model_larger_than_all_memory_for_models_is_served_and_not_kept(registry, copies, models):
    registry.add("lstm-A", models.lstm("A"))
    store = ModelStore(registry, copies, memory=1)
    assert store.get("lstm", "A").version == 1
    assert not store.is_loaded("lstm", "A")


OTHERS = [
    ({"onnxruntime": "99.0.0"}, "was written by onnxruntime 99.0.0, this service has"),
    ({"zenith": "9.1.0"}, "was written by zenith 9.1.0, this service has"),
    ({"onnxruntime": "0.9"}, "was written by onnxruntime 0.9"),
    ({"zenith": "unknown"}, "was written by zenith unknown"),
]


@pytest.mark.parametrize(("versions", "reason"), OTHERS)
def test_an_artifact_of_other_library_versions_is_refused_and_the_last_good_one_stays(
    store, registry, copies, models, versions, reason
):
    store.refresh()
    store.get("ensemble", "AAPL")
    registry.add("ensemble-AAPL", models.ensemble("AAPL", versions=versions))
    store.refresh()
    assert store.get("ensemble", "AAPL").version == 1
    assert reason in store.state()["models"]["problems"]["ensemble-AAPL"]
    assert ModelStore(registry, copies).get("ensemble", "AAPL").version == 1  # after a restart as well


def test_an_artifact_of_an_opset_that_is_not_known_yet_is_refused_with_the_reason(models):
    from onnx import ModelProto

    model = ModelProto.FromString(models.lstm("AAPL"))
    model.opset_import[0].version = 999
    with pytest.raises(ModelUnavailable, match="cannot be loaded by onnxruntime .*opset"):
        open_model("lstm-AAPL", 1, model.SerializeToString())


def test_a_newer_minor_version_is_a_reason_and_an_older_one_or_another_library_is_none(models):
    from importlib.metadata import version

    major, minor, *_ = version("onnxruntime").split(".")
    assert misfit({"onnxruntime": f"{major}.0.1", "numpy": "99.0", "zenith": version("zenith")}) is None
    assert misfit({"onnxruntime": f"{major}.{minor}.99"}) is None
    assert misfit({}) is None
    newer = f"{major}.{int(minor) + 1}.0"
    assert misfit({"onnxruntime": newer}).startswith(f"was written by onnxruntime {newer}, this service has")


def test_an_alias_that_moves_while_a_model_is_loaded_is_followed_before_anybody_is_answered(store, registry, models):
    fetch, seen = registry.fetch, []

    def fetch_and_promote(name, version):
        onnx = fetch(name, version)
        seen.append(version)
        if len(seen) == 1:
            registry.add("lstm-AAPL", models.lstm("AAPL", growth=1.5))
            store.refresh()  # the watcher sees it; the model is not loaded yet
        return onnx

    registry.fetch = fetch_and_promote
    assert store.get("lstm", "AAPL").version == 2
