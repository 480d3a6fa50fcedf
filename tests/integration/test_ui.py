"""The Dagster UI as a person opens it: the graph shows, a ticker is added, materialized, and turns green."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt install chromium")]

ZENITH = Path(sys.executable).with_name("zenith")
REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "zenith"}


class Dagster:
    """The UI's own GraphQL interface."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, query, **variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def is_up(self):
        try:
            return "zenith" in str(
                self.ask("{repositoriesOrError{... on RepositoryConnection{nodes{location{name}}}}}")
            )
        except (OSError, urllib.error.URLError):
            return False

    def status(self, run_id):
        return self.ask("query($id: ID!){runOrError(runId: $id){... on Run{status}}}", id=run_id)["runOrError"][
            "status"
        ]


def wait_until(holds, seconds):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def dagster(tmp_path_factory):
    home = tmp_path_factory.mktemp("ui")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    with (home / "ui.log").open("wb") as log:
        server = subprocess.Popen(
            [ZENITH, "ui", "--port", str(port)],
            env={**environment, "ZENITH_HOME": str(home)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    dagster = Dagster(port)
    try:
        wait_until(dagster.is_up, 90)
        yield dagster
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.fixture(scope="module")
def page():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        yield page
        browser.close()


def test_the_graph_shows_the_assets(dagster, page):
    page.goto(f"{dagster.url}/asset-groups?expanded=global@global:prices")

    expect(page.get_by_text("cleaned_prices").first).to_be_visible(timeout=30_000)
    expect(page.get_by_text("backtests").first).to_be_visible()


def test_a_ticker_is_added_and_materialized_and_its_figures_show(dagster, page):
    added = dagster.ask(
        "mutation($r: RepositorySelector!){addDynamicPartition("
        'partitionsDefName: "tickers", partitionKey: "IBM", repositorySelector: $r){__typename}}',
        r=REPOSITORY,
    )
    assert added["addDynamicPartition"]["__typename"] == "AddDynamicPartitionSuccess"
    selector = {**REPOSITORY, "pipelineName": "retrain_model"}
    assets = [{"path": [name]} for name in ("raw_prices", "cleaned_prices", "indicator_features")]
    tags = [{"key": "dagster/partition", "value": "IBM"}]
    launched = dagster.ask(
        "mutation($p: ExecutionParams!){launchPipelineExecution(executionParams: $p)"
        "{__typename ... on LaunchRunSuccess{run{runId}}}}",
        p={
            "selector": {**selector, "assetSelection": assets},
            "mode": "default",
            "executionMetadata": {"tags": tags},
        },
    )["launchPipelineExecution"]
    assert launched["__typename"] == "LaunchRunSuccess"
    run_id = launched["run"]["runId"]
    wait_until(lambda: dagster.status(run_id) in ("SUCCESS", "FAILURE"), 120)
    assert dagster.status(run_id) == "SUCCESS"

    page.goto(f"{dagster.url}/assets/cleaned_prices?view=partitions&partition=IBM")

    expect(page.get_by_text("Materialized (1)")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("last_close").first).to_be_visible()
