"""Compare the versions and decisions that serving lists with those that the pipelines wrote with MLflow's client."""

import json
import math
from datetime import UTC, datetime, timedelta

import pytest

from tests.empty_databases import put_mlflow_database
from tests.mlflow_server import mlflow_server
from tests.pipelines.synthetic_models import current_data, market, register_version
from zenith_pipelines.production.promotion import promote, promote_if_better, roll_back
from zenith_pipelines.registry.decision_log import decision_history
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_serving.errors import RegistryUnavailable, UnknownTicker
from zenith_serving.registry import open_registry
from zenith_serving.registry.database import DatabaseRegistry
from zenith_serving.registry.rest import RestRegistry, _Question
from zenith_serving.registry.version_listing import list_models, model_history

pytestmark = pytest.mark.slow  # MLflow's tables, and its server

SHARED = (
    *("data_end", "data_version", "feature_spec", "code_version", "libraries", "leakage"),
    *("reason", "decided_by"),
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """Models of AAPL and PETR4.SA, promoted, refused, forced, rolled back and deleted; and one that is not Zenith's."""
    place = tmp_path_factory.mktemp("mlflow")
    put_mlflow_database(place)
    registry, features = ModelRegistry(f"sqlite:///{place}/mlflow.db", place / "artifacts"), market()
    here = current_data("AAPL", features)
    for worth in ({"foresight": 0.3, "width": 0.7}, {"foresight": 0.4, "width": 0.6}, {}):
        promote_if_better(registry, "lstm", register_version(registry, "lstm", "AAPL", features, **worth).version, here)
    promote(registry, "lstm", 3, here, force=True, reason="it's time")
    roll_back(registry, "lstm", here, reason=None)
    registry.client.delete_model_version("lstm-AAPL", "1")
    promote_if_better(registry, "ensemble", register_version(registry, "ensemble", "AAPL", features).version, here)
    register_version(registry, "lstm", "PETR4.SA", features)
    no_numbers = {"coverage": math.nan, "skill": math.inf}
    registry.log_metrics("lstm-PETR4.SA", 1, {"mae": 0.02, "mae_random_walk": 0.03, "beats_naive": 1, **no_numbers}, {})
    registry.client.create_registered_model("somebody-else-s")
    registry.client.create_model_version("somebody-else-s", source="file:///nowhere")
    return registry


@pytest.fixture(scope="module")
def server(registry, tmp_path_factory):
    with mlflow_server(registry.tracking_uri, tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture(params=["database", "server"])
def reader(request, registry):
    uri = registry.tracking_uri if request.param == "database" else request.getfixturevalue("server")
    return open_registry(uri)


def test_versions_are_listed_as_the_pipelines_list_them(reader, registry):
    versions = list_models(reader).models

    assert [(one.name, one.version, one.status, one.decision) for one in versions] == [
        ("lstm-AAPL", "3", "candidate", "rolled_back"),
        ("lstm-AAPL", "2", "production", "restored"),
        ("ensemble-AAPL", "1", "production", "promoted"),
        ("lstm-PETR4.SA", "1", "candidate", None),
    ]
    listing = json.loads(list_models(reader).model_dump_json())["models"]
    for one in listing:
        expected = registry.version(one["name"], int(one["version"]))
        assert {key: one[key] for key in SHARED} == {key: expected.tags.get(key) for key in SHARED}
        mae = registry.metrics(expected.name, expected.version).get(one["metrics"]["loss"])
        assert one["metrics"]["value"] == (None if mae is None else pytest.approx(mae))
        assert datetime.now(UTC) - datetime.fromisoformat(one["created_at"]) < timedelta(minutes=30)
    assert all(listing[0][key] for key in SHARED)
    assert (listing[-1]["beats_naive"], listing[-1]["metrics"]["naive"]) == (True, 0.03)
    assert listing[-1]["metrics"]["coverage"] is None


@pytest.mark.parametrize("source", ["database", "server"])
def test_a_listing_takes_as_many_questions_for_thirty_models_as_for_three(registry, source, request, monkeypatch):
    """Count SQL queries and HTTP requests, at pages of a thousand."""
    uri = registry.tracking_uri if source == "database" else request.getfixturevalue("server")
    questions = []
    for backend, method in ((DatabaseRegistry, "_rows"), (_Question, "_send")):
        monkeypatch.setattr(backend, method, counted(getattr(backend, method), questions))

    def count():
        questions.clear()
        list_models(open_registry(uri))
        list_models(open_registry(uri), limit=2)
        open_registry(uri).decisions()
        open_registry(uri).production()
        return len(questions)

    before = count()
    for number in range(30):
        registry.client.create_registered_model(f"lstm-MANY{number}")
        registry.client.create_model_version(f"lstm-MANY{number}", source="file:///nowhere")
    after = count()
    for number in range(30):
        registry.client.delete_registered_model(f"lstm-MANY{number}")

    assert before > 0
    assert after == before


def counted(method, calls):
    def call(*arguments, **options):
        calls.append(arguments)
        return method(*arguments, **options)

    return call


@pytest.mark.parametrize(
    ("filters", "versions"),
    [
        ({"ticker": "AAPL", "model_type": "lstm"}, ["3", "2"]),
        ({"ticker": "AAPL", "status": "production"}, ["2", "1"]),
        ({"ticker": "PETR4.SA"}, ["1"]),
        ({"ticker": "SA"}, []),
        ({"status": "archived"}, []),
    ],
)
def test_versions_are_filtered_by_ticker_kind_and_status(reader, filters, versions):
    assert [one.version for one in list_models(reader, **filters).models] == versions


@pytest.mark.parametrize("filters", [{}, {"ticker": "AAPL"}, {"model_type": "lstm"}, {"status": "production"}])
def test_pages_have_the_same_versions_as_the_whole_list(reader, filters):
    pages, after = [], None
    while not pages or after:
        page = list_models(reader, **filters, limit=2, after=after)
        pages += page.models
        after = page.next

    assert pages == list_models(reader, **filters).models


def test_the_history_has_every_decision_newest_first_including_deleted_versions(reader, registry):
    history = model_history(reader, "AAPL")

    lstm = [event for event in history.events if event.model_type == "lstm"]
    assert [(event.version, event.action, event.previous) for event in lstm] == [
        ("2", "rolled_back", "3"),
        ("3", "forced", "2"),
        ("3", "refused", "2"),
        ("2", "promoted", "1"),
        ("1", "promoted", None),
    ]
    assert [event.at for event in history.events] == sorted((event.at for event in history.events), reverse=True)
    for event, record in zip(lstm, decision_history(registry, "lstm-AAPL")[::-1], strict=True):
        assert (event.reason, event.by) == (record.reason, record.by)
        gates = [(gate.name, gate.passed, gate.detail, gate.figures) for gate in event.gates]
        assert gates == [(gate["gate"], gate["passed"], gate["says"], gate["figures"]) for gate in record.gates]


def test_a_model_without_decisions_has_an_empty_history(reader):
    assert model_history(reader, "PETR4.SA").events == []


def test_a_ticker_without_models_is_unknown_and_similar_tickers_are_named(reader):
    with pytest.raises(UnknownTicker, match="no models of this ticker: did you mean PETR4.SA"):
        model_history(reader, "PETR3.SA")


def test_metrics_of_many_runs_are_requested_in_parts(server, monkeypatch):
    monkeypatch.setattr("zenith_serving.registry.rest._RUNS_PER_REQUEST", 1)

    (version,) = list_models(open_registry(server), "PETR4.SA").models
    assert version.metrics["value"] == 0.02
    assert len(list_models(open_registry(server)).models) == 4


def test_an_unreachable_registry_is_unavailable(tmp_path):
    (tmp_path / "garbage.db").write_bytes(b"no database at all" * 100)
    for reader in (DatabaseRegistry(f"sqlite:///{tmp_path}/garbage.db"), RestRegistry("http://127.0.0.1:1")):
        with pytest.raises(RegistryUnavailable):
            list_models(reader)
        with pytest.raises(RegistryUnavailable):
            model_history(reader, "AAPL")
