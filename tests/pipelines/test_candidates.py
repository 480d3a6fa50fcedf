"""What a registered version carries: its figures, its lineage, and the files behind them."""

import hashlib
import json

import pandas as pd
import pytest
from mlflow import MlflowClient
from onnx import TensorProto, helper

from zenith_core.errors import NotAvailable
from zenith_pipelines.candidates import register
from zenith_pipelines.defs.models import _training_data
from zenith_pipelines.models.artifact import IR_VERSION, OPSET
from zenith_pipelines.store import Dataset
from zenith_pipelines.training import Candidate, Lineage

# MLflow 3.17 warns of itself, on its first use and on the import of its pyfunc.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType"),
]

EVIDENCE = pd.DataFrame({"origin": pd.to_datetime(["2013-02-27", "2013-02-28"]), "forecast": [1.0, 2.0]})
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
def registered(registry, place, tmp_path_factory):
    """The version, its MLflow run, and a folder with what the run keeps."""
    made = register(registry, Candidate("lstm", identity(), EVIDENCE, METRICS, FACTS), CERTIFICATE, "run-7")
    client, folder = MlflowClient(f"sqlite:///{place}/mlflow.db"), tmp_path_factory.mktemp("kept")
    for name in ("facts.json", "leakage.json", "evidence.parquet"):
        client.download_artifacts(made.run_id, name, str(folder))
    return made, client.get_run(made.run_id), folder


def test_the_tags_say_what_the_version_was_made_from(registered, registry):
    made, run, _ = registered

    assert made.name == "lstm-PETR4.SA"
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
        "sha256": hashlib.sha256(registry.load(made.name, made.version)).hexdigest(),
    }
    assert made.tags == expected
    assert run.data.tags.items() >= expected.items()
    assert (run.data.metrics, run.data.params) == ({"mase": 1.25}, {"epochs": "3"})


def test_the_run_keeps_facts_evidence_and_the_leakage_certificate(registered):
    _, _, folder = registered

    assert json.loads((folder / "leakage.json").read_text()) == CERTIFICATE
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "evidence.parquet"), EVIDENCE)
    assert json.loads((folder / "facts.json").read_text()) == {**FACTS, "metrics": METRICS}


def test_features_without_a_certificate_train_no_model():
    cleaned = Dataset({"prices": pd.DataFrame({"suspect": [False]})}, {"last": "2013-02-28", "data_version": "d1"})
    features = Dataset({"features": EVIDENCE}, {"feature_spec": "f5", "data_version": "d1"})

    with pytest.raises(NotAvailable, match=r"^the features of IBM have no leakage certificate: materialize"):
        _training_data("IBM", cleaned, features)
