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


def is_up(address):
    """Whether the UI's own GraphQL interface knows the code location."""
    question = {"query": "{repositoriesOrError{... on RepositoryConnection{nodes{location{name}}}}}"}
    request = urllib.request.Request(
        f"{address}/graphql", json.dumps(question).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return "zenith" in answer.read().decode()
    except (OSError, urllib.error.URLError):
        return False


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
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: is_up(address), 90)
        yield address
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
    page.goto(f"{dagster}/asset-groups?expanded=global@global:prices")

    expect(page.get_by_text("cleaned_prices").first).to_be_visible(timeout=30_000)
    expect(page.get_by_text("backtests").first).to_be_visible()


@pytest.fixture(scope="module")
def ibm(dagster, page):
    """The page of IBM's cleaned prices, after a person has added the ticker and materialized its prices by clicks."""
    page.goto(f"{dagster}/locations/zenith/asset-groups/prices/lineage")
    page.get_by_role("button", name="Materialize all").click(timeout=30_000)
    page.get_by_text("Add a partition").click()
    page.get_by_placeholder("name").fill("IBM")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Launch 1 run").click()
    address = f"{dagster}/assets/cleaned_prices?view=partitions&partition=IBM"
    page.goto(address)
    expect(page.get_by_text("Materialized (1)")).to_be_visible(timeout=120_000)
    return address


def test_a_materialized_ticker_shows_its_figures_and_its_plot(ibm, page):
    page.goto(ibm)
    expect(page.get_by_role("row").filter(has_text="last_close")).to_contain_text("202.91", timeout=30_000)

    page.get_by_role("row").filter(has_text="close and volume").get_by_text("[Show Markdown]").click()

    plot = page.get_by_role("img", name="close and volume")
    expect(plot).to_be_visible()
    assert plot.evaluate("image => image.naturalWidth") > 500  # a picture that could be decoded


@pytest.mark.usefixtures("ibm")
def test_a_materialized_ticker_shows_its_checks_with_their_figures(dagster, page):
    page.goto(f"{dagster}/assets/cleaned_prices?view=checks&checkDetail=enough_history")

    expect(page.get_by_text("3270 sessions of history").first).to_be_visible(timeout=30_000)
