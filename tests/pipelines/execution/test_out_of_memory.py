"""A training that runs out of memory fails its run with that reason, and not the process around it."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.empty_databases import put_dagster_databases
from tests.runs_here import fetch_short_history
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.execution.ticker_run import TickerRun, run_ticker

resource = pytest.importorskip("resource", reason="limits are POSIX")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated"),  # Dagster's own, of itself
]


@pytest.fixture
def little_memory(monkeypatch, tmp_path):
    """Limit memory to 1 GiB more than the process uses; the ensemble needs 8."""
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    put_dagster_databases(tmp_path)
    fetch_short_history(monkeypatch)
    monkeypatch.setattr("zenith_pipelines.models.training.train_ensemble", lambda *_: np.ones(2**30))
    before = resource.getrlimit(resource.RLIMIT_AS)
    bytes_in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (bytes_in_use + 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def test_the_run_fails_with_the_reason_and_the_next_run_of_the_process_succeeds(little_memory):
    outcome = run_ticker(TickerRun("AAPL", source="sample", until="ensemble_model"), Progress())

    assert (outcome["status"], outcome["exit_code"], outcome["models"]) == ("failed", 1, {})
    assert "ensemble_model: " in outcome["reason"]
    assert "out of memory" in outcome["reason"]
    assert run_ticker(TickerRun("AAPL", source="sample", until="cleaned_prices"), Progress())["status"] == "ok"
