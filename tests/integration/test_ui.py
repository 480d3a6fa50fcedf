"""The Dagster UI as a person opens it: the graph shows, a ticker is added, materialized, and turns green."""

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.chromium import CHROMIUM, MISSING
from tests.integration.dagster_ui import running_ui
from tests.waiting import PATIENCE, wait_until

expect.set_options(timeout=1000 * PATIENCE)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=MISSING)]


@pytest.fixture(scope="module")
def dagster(tmp_path_factory):
    """The address of a UI on an empty home."""
    with running_ui(tmp_path_factory.mktemp("ui")) as dagster:
        yield dagster


@pytest.fixture(scope="module")
def page():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        page.set_default_timeout(1000 * PATIENCE)
        yield page
        browser.close()


def test_the_graph_shows_the_assets(dagster, page):
    page.goto(f"{dagster.url}/asset-groups?expanded=global@global:prices")

    expect(page.get_by_text("cleaned_prices").first).to_be_visible()
    expect(page.get_by_text("backtests").first).to_be_visible()


@pytest.fixture(scope="module")
def ibm(dagster, page):
    """The page of IBM's cleaned prices, after a person has added the ticker and materialized its prices by clicks."""
    page.goto(f"{dagster.url}/locations/zenith/asset-groups/prices/lineage")
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_text("Add a partition").click()
    page.get_by_placeholder("name").fill("IBM")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Launch 1 run").click()
    expect(page.get_by_role("button", name="Launch 1 run")).to_be_hidden()  # it has been launched
    wait_until(lambda: dagster.materialized("cleaned_prices", "IBM"))
    address = f"{dagster.url}/assets/cleaned_prices?view=partitions&partition=IBM"
    page.goto(address)
    expect(page.get_by_text("Materialized (1)")).to_be_visible()
    return address


def test_a_materialized_ticker_shows_its_figures_and_its_plot(ibm, page):
    page.goto(ibm)
    expect(page.get_by_role("row").filter(has_text="last_close")).to_contain_text("202.91")

    page.get_by_role("row").filter(has_text="close and volume").get_by_text("[Show Markdown]").click()

    plot = page.get_by_role("img", name="close and volume")
    expect(plot).to_be_visible()
    assert plot.evaluate("image => image.naturalWidth") > 500  # a picture that could be decoded


@pytest.mark.usefixtures("ibm")
def test_a_materialized_ticker_shows_its_checks_with_their_figures(dagster, page):
    page.goto(f"{dagster.url}/assets/cleaned_prices?view=checks&checkDetail=enough_history")

    expect(page.get_by_text("3270 sessions of history").first).to_be_visible()


def test_the_weekly_retraining_is_on(dagster, page):
    page.goto(f"{dagster.url}/locations/zenith/schedules/weekly_retraining")

    expect(page.get_by_role("row").filter(has_text="Schedule").last).to_contain_text("(0 2 * * 0)")
    expect(page.get_by_role("row").filter(has_text="Running").get_by_role("checkbox")).to_be_checked()
