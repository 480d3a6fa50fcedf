import asyncio
import threading
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from onnx import TensorProto, helper

from tests import forked
from tests.empty_databases import put_mlflow_database
from tests.mlflow_server import mlflow_server
from tests.pipelines.synthetic_models import current_data, market, register_version
from tests.waiting import PATIENCE
from zenith_core.errors import NotAvailable, UserError
from zenith_pipelines.models.onnx_artifact import IR_VERSION, OPSET
from zenith_pipelines.production.promotion import promote_if_better, roll_back
from zenith_pipelines.registry.decision_log import decision_history
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.retention import RetentionRules, clean_up


def tiny_model(factor: float) -> bytes:
    """An ONNX model with two named inputs: price = close * factor + volatility."""

    def tensor(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"])

    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["close", "factor"], ["scaled"]),
            helper.make_node("Add", ["scaled", "volatility"], ["price"]),
        ],
        "tiny",
        [tensor("close"), tensor("volatility")],
        [tensor("price")],
        [helper.make_tensor("factor", TensorProto.FLOAT, [1], [factor])],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString()


def register(registry, name, factor=2.0, **changes):
    facts = {"metrics": {"mase": 1.5}, "params": {"epochs": "3"}, "tags": {"data_end": "2013-03-01"}}
    return registry.register(name, tiny_model(factor), **(facts | changes))


@pytest.mark.slow
def test_versions_are_numbered_and_have_their_tags(registry):
    first, second = register(registry, "lstm-COUNT"), register(registry, "lstm-COUNT", tags={"data_end": "2014-01-02"})

    assert (first.version, second.version) == (1, 2)
    assert [v.version for v in registry.versions("lstm-COUNT")] == [2, 1]
    assert registry.versions("lstm-COUNT")[0].tags == {"data_end": "2014-01-02"}
    assert registry.versions("lstm-NONE") == []


def test_a_registered_model_is_loaded_unchanged(registry):
    version = register(registry, "lstm-BYTES", factor=3.0)

    assert registry.load("lstm-BYTES", version.version) == tiny_model(3.0)


@pytest.mark.slow
def test_a_tag_asks_for_no_registered_model(registry, monkeypatch):
    version = register(registry, "lstm-TAGGED").version
    asked = []
    monkeypatch.setattr("mlflow.MlflowClient.get_registered_model", lambda _, name: asked.append(name))

    registry.tag("lstm-TAGGED", version, {"reason": "a trial"})

    assert asked == []
    assert registry.version("lstm-TAGGED", version).tags["reason"] == "a trial"


@pytest.mark.slow
def test_a_model_name_may_contain_a_dot_or_a_caret(registry):
    assert register(registry, "lstm-PETR4.SA").name == "lstm-PETR4.SA"
    assert register(registry, "lstm-^BVSP").version == 1


def test_nothing_is_in_production_before_a_promotion(registry):
    register(registry, "lstm-NEW")

    assert registry.production("lstm-NEW") is None
    assert registry.production("lstm-UNHEARD") is None
    with pytest.raises(NotAvailable, match=r"^no lstm-UNHEARD in Production yet: `zenith run --tickers UNHEARD`"):
        registry.require_production("lstm-UNHEARD")


@pytest.mark.slow
def test_promotion_moves_production_and_keeps_the_old_version(registry):
    for factor in (1.0, 2.0):
        registry.promote("lstm-MOVE", register(registry, "lstm-MOVE", factor).version)

    assert registry.production("lstm-MOVE").version == 2
    assert registry.require_production("lstm-MOVE").tags == {"data_end": "2013-03-01"}
    registry.promote("lstm-MOVE", 1)
    assert registry.load("lstm-MOVE", registry.production("lstm-MOVE").version) == tiny_model(1.0)


@pytest.mark.slow
def test_the_newest_version_is_the_candidate_even_if_a_slower_process_ends_later(registry):
    for number in (1, 2):
        register(registry, "lstm-NEXT")
        assert registry.aliases("lstm-NEXT") == {"Candidate": number}
    registry.promote("lstm-NEXT", 1)
    registry._make_candidate("lstm-NEXT", 1)  # as a slower process would

    assert registry.aliases("lstm-NEXT") == {"Candidate": 2, "Production": 1}
    assert registry.aliases("lstm-NONE") == {}


@pytest.mark.slow
@pytest.mark.parametrize("failures", [1, 2])
def test_setting_an_alias_is_retried_once_after_a_conflict(registry, monkeypatch, failures):
    version = register(registry, f"lstm-TWICE{failures}").version
    client, conflicts = registry._client, [failures]
    set_alias = client.set_registered_model_alias

    def conflicting(*args):
        if conflicts[0]:
            conflicts[0] -= 1
            raise MlflowException("UNIQUE constraint failed")
        set_alias(*args)

    monkeypatch.setattr(client, "set_registered_model_alias", conflicting)
    if failures == 1:
        registry.promote(f"lstm-TWICE{failures}", version)
        assert registry.production(f"lstm-TWICE{failures}").version == version
    else:
        with pytest.raises(MlflowException, match="UNIQUE"):
            registry.promote(f"lstm-TWICE{failures}", version)


@pytest.mark.slow
def test_files_metrics_and_tags_are_read_back(registry):
    register(registry, "lstm-READ", files={"evidence.parquet": b"rows"})
    registry.tag("lstm-READ", 1, {"decision": "refused"})

    assert registry.file("lstm-READ", 1, "evidence.parquet") == b"rows"
    assert registry.metrics("lstm-READ", 1) == {"mase": 1.5}
    assert registry.version("lstm-READ", 1).tags == {"data_end": "2013-03-01", "decision": "refused"}
    assert [tags["data_end"] for tags in registry.tags_of_runs("lstm-READ")] == ["2013-03-01"]
    with pytest.raises(NotAvailable, match=r"^lstm-READ has no version 7$"):
        registry.file("lstm-READ", 7, "evidence.parquet")


@pytest.mark.slow
def test_a_version_that_does_not_exist_is_neither_promoted_nor_loaded(registry):
    register(registry, "lstm-ONE")

    with pytest.raises(NotAvailable, match=r"^lstm-ONE has no version 7$"):
        registry.promote("lstm-ONE", 7)
    with pytest.raises(NotAvailable, match=r"^lstm-ONE has no version 7$"):
        registry.load("lstm-ONE", 7)
    assert registry.production("lstm-ONE") is None


def test_the_run_holds_metrics_params_tags_and_files(registry, registry_dir):
    from mlflow import MlflowClient

    version = register(registry, "lstm-RUN", files={"report/index.html": b"<p>hello"})

    client = MlflowClient(f"sqlite:///{registry_dir}/mlflow.db")
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert (run.data.metrics, run.data.params) == ({"mase": 1.5}, {"epochs": "3"})
    assert run.data.tags["data_end"] == "2013-03-01"
    [folder] = client.list_artifacts(version.run_id)
    assert folder.path == "report"


@pytest.mark.slow
def test_logged_metrics_are_added_or_replaced(registry, registry_dir):
    from mlflow import MlflowClient

    version = register(registry, "lstm-LATER")
    registry.log_metrics("lstm-LATER", 1, {"backtest/long-cost-0.001-1e-05/sharpe": 0.7}, {"about": "first"})
    registry.log_metrics("lstm-LATER", 1, {"backtest/long-cost-0.001-1e-05/sharpe": 0.4}, {"about": "again"})

    run = MlflowClient(f"sqlite:///{registry_dir}/mlflow.db").get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"mase": 1.5, "backtest/long-cost-0.001-1e-05/sharpe": 0.4}
    assert (run.data.tags["about"], run.data.tags["data_end"]) == ("again", "2013-03-01")
    with pytest.raises(NotAvailable, match=r"^lstm-LATER has no version 7$"):
        registry.log_metrics("lstm-LATER", 7, {}, {})


@pytest.mark.slow
def test_a_paragraph_is_added_to_a_description_once(registry):
    version = register(registry, "lstm-WORDS").version

    for line in ("No skill.", "[Report](http://a/reports/WORDS)", "No skill."):
        registry.add_to_description("lstm-WORDS", version, line)

    found = registry._client.get_model_version("lstm-WORDS", str(version))
    assert found.description == "No skill.\n\n[Report](http://a/reports/WORDS)"


@pytest.mark.slow
def test_logged_files_are_added_or_replaced(registry, registry_dir):
    version = register(registry, "lstm-FILED", files={"facts.json": b"{}"})
    registry.log_files("lstm-FILED", 1, {"report.html": b"first", "plots/price_fan.png": b"plot"})
    registry.log_files("lstm-FILED", 1, {"report.html": b"again"})

    folder = registry_dir / "artifacts" / version.run_id / "artifacts"
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert files == {"facts.json": b"{}", "report.html": b"again", "plots/price_fan.png": b"plot"}
    with pytest.raises(NotAvailable, match=r"^lstm-FILED has no version 7$"):
        registry.log_files("lstm-FILED", 7, {})


@pytest.mark.slow
def test_runs_are_found_by_tag_on_all_pages_even_deleted_ones(registry, monkeypatch):
    client = registry._client
    for name, value in (("lstm-^A.SA", 1.0), ("lstm-^A.SA", 2.0), ("lstm-^A", 3.0)):
        version = register(registry, name)
        registry.log_metrics(name, version.version, {"sharpe": value}, {"about": name})
    client.delete_run(registry.versions("lstm-^A.SA")[0].run_id)
    monkeypatch.setattr(client, "search_runs", partial(client.search_runs, max_results=1))

    metrics_of_runs = registry.metrics_of_runs("about", "lstm-^A.SA")
    assert sorted(metrics["sharpe"] for metrics in metrics_of_runs) == [1.0, 2.0]
    assert registry.metrics_of_runs("about", "lstm-NONE") == []


def test_registering_invalid_onnx_leaves_a_failed_run_and_no_version(registry, registry_dir):
    from google.protobuf.message import DecodeError
    from mlflow import MlflowClient

    with pytest.raises(DecodeError):
        registry.register("lstm-BROKEN", b"no model", metrics={}, params={}, tags={})

    client = MlflowClient(f"sqlite:///{registry_dir}/mlflow.db")
    [run] = client.search_runs(["1"], "attributes.run_name = 'lstm-BROKEN'")
    assert run.info.status == "FAILED"
    assert registry.versions("lstm-BROKEN") == []


@pytest.mark.slow
def test_the_scoring_server_serves_the_production_alias(registry, registry_dir, monkeypatch):
    import mlflow
    from mlflow.pyfunc import scoring_server

    registry.promote("lstm-SERVE", register(registry, "lstm-SERVE", factor=2.0).version)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{registry_dir}/mlflow.db")

    assert mlflow.onnx.load_model("models:/lstm-SERVE@Production").SerializeToString() == tiny_model(2.0)
    app = scoring_server.init(mlflow.pyfunc.load_model("models:/lstm-SERVE@Production"))
    request = {"inputs": {"close": [10.0, 20.0], "volatility": [0.5, 0.25]}}
    response = asyncio.run(post(app, "/invocations", request))

    assert response.status_code == 200
    np.testing.assert_allclose(response.json()["predictions"]["price"], [20.5, 40.25])


async def post(app, path, document):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://mlflow") as client:
        return await client.post(path, json=document)


@dataclass(frozen=True)
class Server:
    """An MLflow server and its folder of artifacts."""

    url: str
    artifacts: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    put_mlflow_database(folder)
    with mlflow_server(f"sqlite:///{folder}/mlflow.db", folder) as url:
        yield Server(url, folder / "kept")  # as mlflow_server names it


@pytest.mark.slow
def test_a_tracking_server_stores_the_artifacts_itself(server, tmp_path, capfd):
    registry = ModelRegistry(server.url, tmp_path / "local")
    before = models_in(server.artifacts)

    registry.promote("lstm-HTTP", register(registry, "lstm-HTTP", files={"report.html": b"<p>"}).version)

    assert registry.load("lstm-HTTP", registry.require_production("lstm-HTTP").version) == tiny_model(2.0)
    assert registry.production("lstm-UNHEARD") is None
    assert models_in(server.artifacts) == before + 1
    assert list((tmp_path / "local").rglob("model.onnx")) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_promotion_rollback_history_and_clean_up_work_over_a_tracking_server(server, tmp_path):
    registry, features = ModelRegistry(server.url, tmp_path / "local"), market(sessions=150)
    current = current_data("WEB", features)
    for sessions in (140, 145, 150):
        version = register_version(registry, "lstm", "WEB", features.iloc[:sessions])
        promote_if_better(registry, "lstm", version.version, current)
    roll_back(registry, "lstm", current, reason="tried")
    report = clean_up(registry, RetentionRules(keep_latest_n=0, keep_best=False))

    assert registry.aliases("lstm-WEB") == {"Production": 2, "Candidate": 3}
    outcomes = [(one.version, one.outcome) for one in decision_history(registry, "lstm-WEB")]
    assert outcomes == [(1, "promoted"), (2, "promoted"), (3, "promoted"), (2, "rolled back")]
    assert list(report["models"]["lstm-WEB"]["kept"]) == ["3", "2", "1"]
    registry.client.delete_registered_model_alias("lstm-WEB", "Candidate")
    before = size_of(server.artifacts)
    freed_bytes = clean_up(registry, RetentionRules(keep_latest_n=0, keep_best=False))["bytes_freed"]
    assert freed_bytes == before - size_of(server.artifacts) > 1000
    assert [version.version for version in registry.versions("lstm-WEB")] == [2, 1]


def models_in(folder):
    return len(list(folder.rglob("model.onnx")))


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class Refusal(BaseHTTPRequestHandler):
    """Responds as MLflow's basic authentication does."""

    def do_GET(self):
        self.send_response(401)
        self.end_headers()
        self.wfile.write(b"You are not authenticated.")

    def log_message(self, *_):
        pass


def test_a_server_that_refuses_the_password_is_an_error_of_one_line(tmp_path):
    with HTTPServer(("127.0.0.1", 0), Refusal) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with pytest.raises(UserError, match="refuses MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"):
            ModelRegistry(f"http://127.0.0.1:{server.server_port}", tmp_path).names()
        server.shutdown()


def register_at_once(folder, together):
    together.wait(timeout=PATIENCE)
    registry = ModelRegistry(f"sqlite:///{folder}/mlflow.db", folder / "artifacts")
    registry.register("lstm-RACE", tiny_model(1.0), metrics={}, params={}, tags={})


@pytest.mark.slow
def test_processes_that_register_in_an_empty_store_at_once_all_succeed(tmp_path):
    together = forked.FORKED.Barrier(3)
    racers = [forked.start(register_at_once, tmp_path, together) for _ in range(3)]

    for racer in racers:
        racer.join(timeout=PATIENCE)

    assert [racer.exitcode for racer in racers] == [0, 0, 0]
    registry = ModelRegistry(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts")
    assert [version.version for version in registry.versions("lstm-RACE")] == [3, 2, 1]
