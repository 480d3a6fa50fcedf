"""The metrics, lineage and files of a registered version."""

import hashlib
import json

import dagster as dg
import pandas as pd
import pytest
from mlflow import MlflowClient
from onnx import TensorProto, helper

from zenith_core.errors import NotAvailable
from zenith_pipelines.dagster_runtime.dead_runs import earlier_attempts
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.defs.assets.models import _training_data
from zenith_pipelines.models.onnx_artifact import IR_VERSION, OPSET
from zenith_pipelines.models.training import Candidate, Lineage
from zenith_pipelines.registry.decision_log import DecisionRecord, record_decision
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.registration import links_to, register

EVIDENCE = pd.DataFrame({"origin": pd.to_datetime(["2013-02-27", "2013-02-28"]), "forecast": [1.0, 2.0]})
GATES = ({"gate": "answers", "passed": True}, {"gate": "loss", "passed": False}, {"gate": "data end", "passed": False})
FIGURES = {"tested": ["until 2013-02-28"], "rows": 1, "values": 2, "tolerance": 1e-9, "largest_difference": 0.0}
CERTIFICATE = {
    "passed": True,
    "feature_spec": "f5",
    "data_version": "d1",
    "sessions": 900,
    "prefixes": FIGURES,
    "late_starts": {**FIGURES, "tolerance": 1e-3, "largest_difference": 3e-10},
    "offending_columns": [],
    "offending": [],
}


FACTS = {
    "kind": "lstm",
    **Lineage("PETR4.SA", "d1", "r1", "2013-02-28", "f5").facts,
    "code_version": "0.1.0+abc",
    "versions": {"jax": "0.10.2", "keras": "3.15.1"},
    "study": {"config": {"epochs": 3}, "folds": 4},
}
METRICS = {"mase": 1.25, "by_horizon": [{"horizon": 1, "mse": 0.5}]}


def identity():
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "same", [x], [y])
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString()


@pytest.fixture(scope="module")
def registration(registry, registry_dir, tmp_path_factory):
    """The version, its MLflow run, and a folder with the files of the run."""
    version = register(registry, Candidate("lstm", identity(), EVIDENCE, METRICS, FACTS), CERTIFICATE, "run-7")
    client, folder = MlflowClient(f"sqlite:///{registry_dir}/mlflow.db"), tmp_path_factory.mktemp("run")
    for name in ("facts.json", "leakage.json", "evidence.parquet"):
        client.download_artifacts(version.run_id, name, str(folder))
    return version, client.get_run(version.run_id), folder


def test_the_logged_model_has_no_second_copy_of_the_tags(registration, registry):
    version, _, _ = registration
    models = registry.client.search_logged_models([registry.experiment_id])
    assert [model.tags for model in models if model.source_run_id == version.run_id] == [{"kind": "lstm"}]


def test_the_tags_state_the_lineage_of_the_version(registration, registry):
    version, run, _ = registration

    assert version.name == "lstm-PETR4.SA"
    expected = {
        "ticker": "PETR4.SA",
        "kind": "lstm",
        "data_version": "d1",
        "raw_content_hash": "r1",
        "data_end": "2013-02-28",
        "feature_spec": "f5",
        "code_version": "0.1.0+abc",
        "libraries": "jax 0.10.2, keras 3.15.1",
        "leakage": "passed: 1 histories cut short and 1 begun late, 4 values, largest difference 0e+00 and 3e-10",
        "dagster_run_id": "run-7",
        "sha256": hashlib.sha256(registry.load(version.name, version.version)).hexdigest(),
    }
    assert version.tags == expected
    assert registry.tags_of_runs(version.name)[0].items() >= expected.items()
    assert (run.data.metrics, run.data.params) == ({"mase": 1.25}, {"epochs": "3"})


@pytest.mark.slow
def test_people_see_few_tags_and_programs_read_one(registration, registry):
    version, run, _ = registration
    decision = DecisionRecord(version.version, "refused", None, "2013-02-28", "loss: worse", "me@here", GATES)
    record_decision(registry, version.name, decision)
    registry.tag(version.name, version.version, {"trials": "3"})

    of_version = registry.client.get_model_version(version.name, str(version.version)).tags
    assert sorted(of_version) == [
        *("data_end", "decided_at", "decided_by", "decision", "gates", "kind", "provenance", "reason", "ticker"),
        "trials",
    ]
    assert of_version["gates"] == "not passed: loss, data end"
    of_run = {key for key in run.data.tags if not key.startswith("mlflow.")}
    assert of_run == {"data_end", "kind", "provenance", "ticker"}
    assert json.loads(run.data.tags["provenance"]) == json.loads(of_version["provenance"])


@pytest.mark.slow
def test_a_version_is_described_by_its_last_decision_and_its_links(registry):
    links = links_to("http://127.0.0.1:8000", "^LINKS")
    candidate = Candidate("lstm", identity(), EVIDENCE, METRICS, {**FACTS, "ticker": "^LINKS"})
    version = register(registry, candidate, CERTIFICATE, "run-8", description=links)

    for outcome in ("refused", "forced"):
        record_decision(
            registry,
            version.name,
            DecisionRecord(version.version, outcome, None, "2013-02-28", "why", "me@here", GATES),
        )

        head, *_, last = registry.client.get_model_version(version.name, str(version.version)).description.splitlines()
        assert head.startswith(f"**{outcome}** ")
        assert last == (
            "[Report of ^LINKS](http://127.0.0.1:8000/reports/%5ELINKS) · "
            "[^LINKS on the page](http://127.0.0.1:8000/#%5ELINKS)"
        )


def test_the_run_keeps_facts_evidence_and_the_leakage_certificate(registration):
    _, _, folder = registration

    assert json.loads((folder / "leakage.json").read_text()) == CERTIFICATE
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "evidence.parquet"), EVIDENCE)
    assert json.loads((folder / "facts.json").read_text()) == {**FACTS, "metrics": METRICS}


def test_features_without_a_certificate_train_no_model():
    cleaned = Dataset({"prices": pd.DataFrame({"suspect": [False]})}, {"last": "2013-02-28", "data_version": "d1"})
    features = Dataset({"features": EVIDENCE}, {"feature_spec": "f5", "data_version": "d1"})

    with pytest.raises(NotAvailable, match=r"^the features of IBM have no leakage certificate: materialize"):
        _training_data("IBM", cleaned, features)


@pytest.mark.slow
def test_a_repeated_run_reuses_the_version_that_the_killed_run_registered(registry, monkeypatch):
    candidate = Candidate("lstm", identity(), EVIDENCE, METRICS, {**FACTS, "ticker": "AGAIN"})
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(MlflowClient, "set_terminated", kill)  # after the version, before it is the Candidate
        register(registry, candidate, CERTIFICATE, "first")
    assert registry.aliases("lstm-AGAIN") == {}

    version = register(registry, candidate, CERTIFICATE, "second", {"first"})

    assert [one.version for one in registry.versions("lstm-AGAIN")] == [version.version] == [1]
    assert registry.aliases("lstm-AGAIN") == {"Candidate": 1}
    assert registry.client.get_run(version.run_id).info.status == "FINISHED"
    assert register(registry, candidate, CERTIFICATE, "third", {"unknown"}).version == 2


def kill(*_, **__):
    raise KeyboardInterrupt


def test_only_retries_by_dagsters_daemon_count_as_earlier_attempts():
    with dg.DagsterInstance.ephemeral() as instance:
        job = dg.GraphDefinition("fetch").to_job()
        first = instance.create_run_for_job(job)
        by_daemon = {"dagster/retry_number": "1"}
        again = {"root_run_id": first.run_id, "parent_run_id": first.run_id}
        second = instance.create_run_for_job(job, tags=by_daemon, **again)
        third = instance.create_run_for_job(job, tags=by_daemon, root_run_id=first.run_id, parent_run_id=second.run_id)
        by_hand = instance.create_run_for_job(job, **again)

        assert earlier_attempts(instance, third.run_id) == {first.run_id, second.run_id}
        assert earlier_attempts(instance, first.run_id) == earlier_attempts(instance, by_hand.run_id) == set()


def test_the_experiment_may_be_the_first_thing_asked_of_a_store(registry_dir, tmp_path):
    registry = ModelRegistry(f"sqlite:///{registry_dir}/mlflow.db", tmp_path / "artifacts")

    assert registry.experiment_id.isdigit()  # without a wait for its own lock


def test_two_machines_that_create_the_experiment_at_once_both_find_it(registry, registry_dir, tmp_path, monkeypatch):
    expected = registry.experiment_id
    other = ModelRegistry(f"sqlite:///{registry_dir}/mlflow.db", tmp_path / "another-machine")
    get_experiment, calls = other.client.get_experiment_by_name, []

    def missing_at_first(name):
        calls.append(name)
        return get_experiment(name) if len(calls) > 1 else None

    monkeypatch.setattr(other.client, "get_experiment_by_name", missing_at_first)
    assert other.experiment_id == expected
    assert len(calls) == 2
