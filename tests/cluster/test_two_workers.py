"""Tickers retrained by two workers that share nothing but object storage and the database; one is killed.

They are 20; CLUSTER_TICKERS=200 makes them 200, in batches of 20.
"""

import os
from collections import Counter

import pytest

from tests.cluster.conftest import TICKERS, run

pytestmark = pytest.mark.skipif(not os.environ.get("ZENITH_TEST_CLUSTER"), reason="make test-cluster")

MODELS = ("lstm_model", "ensemble_model")
MINUTES = 60  # in seconds


def statuses(cluster):
    return Counter(run["status"] for run in cluster.runs("retrain_model"))


def done(cluster):
    return {run["tags"]["dagster/partition"] for run in cluster.runs("retrain_model") if run["status"] == "SUCCESS"}


def on(cluster, worker):
    """The run of a ticker that a worker holds the lock of, beside that of its batch, and the state of its steps."""
    of_tickers = {run["runId"] for run in cluster.runs("retrain_model")}
    for (run_id,) in cluster.query(f"SELECT run_id FROM zenith_alive WHERE host = '{worker}'"):
        if run_id in of_tickers:
            return run_id, cluster.steps(run_id)
    return None, {}


def between_two_models(cluster, worker):
    """The worker's run, if it has registered one model and trains the other."""
    run_id, steps = on(cluster, worker)
    return run_id if {steps.get(model) for model in MODELS} == {"SUCCESS", "IN_PROGRESS"} else None


def test_all_finish_though_a_worker_is_killed_and_no_model_is_registered_twice(cluster):
    assert [run("docker", "inspect", "-f", "{{.Mounts}}", cluster.container(f"worker-{n}")) for n in (1, 2)] == [
        "[]"
    ] * 2
    cluster.stop_sensor("refresh_after_close")  # or each new ticker is refreshed as well
    for ticker in TICKERS:
        cluster.add_ticker(ticker)
    cluster.wait("the sensor that job runs looks", lambda: cluster.has_looked("requested_retraining"), 120)
    job = cluster.launch("retrain_all_models", {"tickers_to_retrain": {"config": {"epochs": 1}}})
    cluster.wait("retrain_all_models has listed the tickers", lambda: cluster.dagster.status(job) == "SUCCESS", 180)
    cluster.wait("both workers are at work", lambda: on(cluster, "worker-1")[0] and on(cluster, "worker-2")[0], 180)

    cluster.wait("eight tickers are done", lambda: len(done(cluster)) >= 8, 15 * MINUTES)
    cut = cluster.wait(
        "worker-1 has registered one of its run's models and trains the other",
        lambda: between_two_models(cluster, "worker-1"),
        5 * MINUTES,
    )
    run("docker", "kill", "-s", "KILL", cluster.container("worker-1"))
    cluster.say(f"worker-1 is killed in run {cut}; {len(done(cluster))} of {len(TICKERS)} tickers are done")
    cluster.wait("its run is shown as failed", lambda: cluster.dagster.status(cut) == "FAILURE", 60)

    for count in range(10, len(TICKERS) + 1, 5):
        cluster.wait(f"{count} tickers are done", lambda count=count: len(done(cluster)) >= count, 20 * MINUTES)

    assert done(cluster) == set(TICKERS)
    assert statuses(cluster) == {"SUCCESS": len(TICKERS), "FAILURE": 1}
    (retry,) = [run for run in cluster.runs("retrain_model") if run["tags"].get("dagster/parent_run_id") == cut]
    assert retry["status"] == "SUCCESS"

    names = [f"{kind}-{ticker}" for kind in ("lstm", "ensemble") for ticker in TICKERS]
    assert {name: [v.version for v in cluster.registry.versions(name)] for name in names} == {
        name: [1] for name in names
    }
    assert {name: cluster.registry.aliases(name).get("Production") for name in names} == dict.fromkeys(names, 1)
    keys = [item.key for item in cluster.bucket.objects.all()]
    assert sum(key.startswith("data/serving_snapshot/") and key.endswith("/current.json") for key in keys) == len(
        TICKERS
    )
    assert sum(key.startswith("mlflow/") and key.endswith("model.onnx") for key in keys) == len(names)
    assert cluster.query("SELECT run_id FROM zenith_alive") == []
