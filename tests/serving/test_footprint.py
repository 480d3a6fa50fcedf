"""The modules and the memory of a fresh process that has answered like `zenith serve`."""

import json
import subprocess
import sys

import pytest

from tests.waiting import PATIENCE

pytestmark = pytest.mark.slow  # starts a process

ANSWER = """
import json, sys
from fastapi.testclient import TestClient
from zenith_serving.app import create_app
from zenith_serving.settings import Settings

with TestClient(create_app(Settings())) as client:
    for ticker in ("AAPL", "MSFT"):
        answer = client.post("/api/v1/ml/predict/comprehensive", json={"ticker": ticker})
        assert answer.status_code == 200, answer.text
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
modules = {name.split(".")[0] for name in sys.modules} | ({"opentelemetry.sdk"} & set(sys.modules))
print(json.dumps({"modules": sorted(modules), "kB": status["VmHWM"].split()[0]}))
"""
HEAVY = {"tensorflow", "jax", "keras", "dagster", "sklearn", "xgboost", "pandas", "pyarrow", "mlflow", "matplotlib"}
HEAVY |= {"opentelemetry.sdk"}  # comes with MLflow; only wanted where spans are


@pytest.fixture
def footprint(home):
    environment = {"PATH": "", "ZENITH_HOME": str(home)}
    command = [sys.executable, "-c", ANSWER]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return json.loads(process.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_that_has_answered_loaded_no_learning_library_and_stays_small(footprint):
    assert not HEAVY & set(footprint["modules"])
    assert int(footprint["kB"]) < 250_000
