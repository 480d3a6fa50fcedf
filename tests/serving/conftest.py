"""Small ONNX models with the signatures of zenith_core.inference, snapshots, and a real MLflow registry."""

import json
import shutil
import threading
import warnings
from collections import Counter
from contextlib import contextmanager
from datetime import date, timedelta
from uuid import uuid4

import numpy as np
import pytest

from tests.empty_databases import put_mlflow_database
from tests.published import publish
from tests.waiting import PATIENCE
from zenith_core.inference import HORIZONS, METADATA_KEY, QUANTILES
from zenith_core.snapshot import ServingSnapshot
from zenith_serving.errors import ModelUnavailable, RegistryUnavailable
from zenith_serving.settings import Settings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="Using `httpx`")  # Starlette would rather have httpx2
    import starlette.testclient  # noqa: F401

SPEC = "0123456789abcdef"
FEATURES = 14
EVIDENCE = {
    "lstm": {
        "mase": 1.01,
        "coverage": 0.88,
        "by_horizon": {
            "1": {"mase": 1.0, "coverage": 0.91, "beats_naive": False, "p_value": 0.5, "skill": -0.001},
            "5": {"mase": 0.97, "coverage": 0.88, "beats_naive": True, "p_value": 0.01, "skill": 0.04},
            "30": {"mase": 1.2, "coverage": 0.8, "beats_naive": False, "p_value": 0.9, "skill": -0.3},
        },
    },
    "ensemble": {"beats_naive": True, "p_value": 0.02, "skill": 0.03},
}


def make_study(*, upper=2.0, proven=True):
    """The study of a signal model, with the training range of its features and its verdict."""
    limits = {"lower": [0.0] * FEATURES, "upper": [upper] * FEATURES, "base_rates": [0.3, 0.4, 0.3]}
    return {"limits": limits, "final": {"calibration": {"proven": proven}}}


def _model(graph, kind, ticker, spec, data_end="2013-03-01", **others):
    from onnx import helper

    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    facts = {"ticker": ticker, "kind": kind, "feature_spec": spec, "data_end": data_end, "evidence": EVIDENCE[kind]}
    facts |= {"study": make_study()} | others
    model.metadata_props.add(key=METADATA_KEY, value=json.dumps(facts))
    return model.SerializeToString()


def make_lstm(ticker, *, growth=1.01, spec=SPEC, data_end="2013-03-01", **facts):
    """price[h] = close * growth**h; the quantiles spread by 1 % for each level on either side of the median."""
    from onnx import TensorProto, helper, numpy_helper

    factors = (growth ** np.arange(1, HORIZONS + 1, dtype=np.float32))[np.newaxis]
    spread = np.array([0.97, 0.98, 0.99, 1.0, 1.01, 1.02, 1.03], dtype=np.float32)
    number = TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Unsqueeze", ["close", "one"], ["column"]),
            helper.make_node("Mul", ["column", "factors"], ["price"]),
            helper.make_node("Unsqueeze", ["price", "two"], ["deep"]),
            helper.make_node("Mul", ["deep", "spread"], ["quantiles"]),
        ],
        "price",
        [
            helper.make_tensor_value_info("window", number, ["n", None, FEATURES]),
            helper.make_tensor_value_info("close", number, ["n"]),
            helper.make_tensor_value_info("volatility", number, ["n"]),
        ],
        [
            helper.make_tensor_value_info("price", number, ["n", HORIZONS]),
            helper.make_tensor_value_info("quantiles", number, ["n", HORIZONS, len(QUANTILES)]),
        ],
        [
            numpy_helper.from_array(factors, "factors"),
            numpy_helper.from_array(spread, "spread"),
            numpy_helper.from_array(np.array([1]), "one"),
            numpy_helper.from_array(np.array([2]), "two"),
        ],
    )
    return _model(graph, "lstm", ticker, spec, data_end, **facts)


def make_ensemble(ticker, *, probabilities=(0.25, 0.25, 0.5), spec=SPEC, **facts):
    """Return an ensemble with the same probabilities for all features; `facts` replace those of a training."""
    from onnx import TensorProto, helper, numpy_helper

    number = TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "zeros"], ["nothing"]),
            helper.make_node("Add", ["nothing", "constant"], ["probabilities"]),
        ],
        "signal",
        [helper.make_tensor_value_info("features", number, ["n", FEATURES])],
        [helper.make_tensor_value_info("probabilities", number, ["n", 3])],
        [
            numpy_helper.from_array(np.zeros((FEATURES, 3), dtype=np.float32), "zeros"),
            numpy_helper.from_array(np.array(probabilities, dtype=np.float32), "constant"),
        ],
    )
    return _model(graph, "ensemble", ticker, spec, **facts)


def make_snapshot(ticker, **changes):
    """A snapshot of 2013-03-01, whose next sessions are taken to be the weekdays."""
    weekdays = [day for n in range(1, 60) if (day := date(2013, 3, 1) + timedelta(n)).weekday() < 5]
    facts = {
        "ticker": ticker,
        "data_version": "feed",
        "feature_spec": SPEC,
        "as_of": date(2013, 3, 1),
        "close": 100.0,
        "currency": "USD",
        "volatility": 0.01,
        "window": np.ones((60, FEATURES), dtype=np.float32),
        "next_sessions": tuple(weekdays[:HORIZONS]),
        "recent": ((date(2013, 2, 28), 99.0), (date(2013, 3, 1), 100.0)),
    }
    return ServingSnapshot(**{**facts, **changes})


class FakeRegistry:
    """A registry in memory that can go away and counts its downloads."""

    def __init__(self):
        self.models = {}
        self.aliases = {}
        self.fetched = Counter()
        self.away = False
        self.gate = threading.Event()
        self.gate.set()

    def add(self, name, onnx):
        versions = self.models.setdefault(name, {})
        versions[len(versions) + 1] = onnx
        self.aliases[name] = len(versions)

    def production(self):
        if self.away:
            raise RegistryUnavailable("the registry is away")
        return dict(self.aliases)

    def fetch(self, name, version):
        self.gate.wait(PATIENCE)
        self.fetched[name, version] += 1
        if self.away:
            raise RegistryUnavailable("the registry is away")
        if not self.models[name][version]:
            raise ModelUnavailable("the registry's model file is gone")
        return self.models[name][version]


@pytest.fixture
def registry():
    return FakeRegistry()


@pytest.fixture
def write_snapshot():
    """Write a snapshot as the pipelines do."""

    def write(home, ticker, **changes):
        publish(home, "serving_snapshot", ticker, make_snapshot(ticker, **changes).to_json())

    return write


@pytest.fixture
def models():
    """The makers of small ONNX models and of snapshots."""

    class Makers:
        lstm = staticmethod(make_lstm)
        ensemble = staticmethod(make_ensemble)
        snapshot = staticmethod(make_snapshot)
        study = staticmethod(make_study)
        SPEC = SPEC

    return Makers


@contextmanager
def mlflow_s_own_warnings_ignored():
    """MLflow 3.17 uses deprecated parts of SQLAlchemy 2.1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


class MLflowHome:
    """A ZENITH_HOME with a real MLflow registry in SQLite."""

    @mlflow_s_own_warnings_ignored()
    def __init__(self, home):
        from mlflow import MlflowClient

        self.home = home
        put_mlflow_database(home / "mlflow")
        self.uri = f"sqlite:///{home / 'mlflow' / 'mlflow.db'}"
        self.client = MlflowClient(self.uri)

    @mlflow_s_own_warnings_ignored()
    def register(self, name, onnx, *, promote=True):
        """Register as MLflow's ONNX flavour lays a model out."""
        place = uuid4().hex
        folder = self.home / "mlflow" / "artifacts" / place
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(onnx)
        if not self.client.search_registered_models(f"name = '{name}'"):
            self.client.create_registered_model(name)
        version = int(self.client.create_model_version(name, source=f"mlflow-artifacts:/{place}").version)
        if promote:
            self.promote(name, version)
        return version

    @mlflow_s_own_warnings_ignored()
    def promote(self, name, version):
        self.client.set_registered_model_alias(name, "Production", str(version))


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory):
    """AAPL and MSFT have both models in Production and a snapshot; IBM has a snapshot only. Not to be changed."""
    home = MLflowHome(tmp_path_factory.mktemp("trained"))
    for ticker in ("AAPL", "MSFT"):
        home.register(f"lstm-{ticker}", make_lstm(ticker))
        home.register(f"ensemble-{ticker}", make_ensemble(ticker))
    return home.home


@pytest.fixture
def home(trained_home, tmp_path, write_snapshot):
    """A copy of `trained_home` that a test may change."""
    shutil.copytree(trained_home / "mlflow", tmp_path / "mlflow")
    for ticker in ("AAPL", "MSFT", "IBM"):
        write_snapshot(tmp_path, ticker)
    return tmp_path


@pytest.fixture
def settings(home):
    return Settings(zenith_home=home, mlflow_tracking_uri=None, redis_url=None, models_path=None)


@pytest.fixture
def mlflow_home(home):
    """MLflow's own client on the registry of `home`."""
    return MLflowHome(home)
