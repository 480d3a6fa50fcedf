"""Dagster's Docker run launcher, with the configuration that deploy/ has: a run is a container with limits."""

import os

import pytest

from tests.cluster.conftest import TICKERS, run

pytestmark = pytest.mark.skipif(not os.environ.get("ZENITH_TEST_CLUSTER"), reason="make test-cluster")


def test_a_run_is_a_container_of_its_own_with_limits(one_host):
    one_host.stop_sensor("refresh_after_close")
    one_host.add_ticker(TICKERS[0])
    fetch = {"raw_prices": {"config": {"source": "csv", "csv_dir": "/prices"}}}
    run_id = one_host.launch("retrain_model", fetch, ["raw_prices"], **{"dagster/partition": TICKERS[0]})
    label = f"label=dagster/run_id={run_id}"
    container = one_host.wait("the run has a container", lambda: run("docker", "ps", "-aq", "--filter", label), 120)
    limits = run(
        "docker", "inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.Config.User}}", container
    )
    assert limits == f"{3 * 2**30} {2 * 10**9} 10001:10001"

    one_host.wait("it has ended", lambda: one_host.dagster.status(run_id) in ("SUCCESS", "FAILURE"), 300)
    assert one_host.dagster.status(run_id) == "SUCCESS", run("docker", "logs", "--tail", "30", container)
    assert run("docker", "wait", container, timeout=60) == "0"
    assert f"data/raw_prices/{TICKERS[0]}/current.json" in [item.key for item in one_host.bucket.objects.all()]
    run("docker", "rm", container)
