"""Take the screenshots of the docs from the running program: after `make run`, with `zenith ui` and `zenith serve`.

.venv/bin/python docs/screenshots.py http://127.0.0.1:3000 http://127.0.0.1:8000
"""

import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from zenith_pipelines.settings import Settings

PICTURES = Path(__file__).parent / "pictures"
PAGES = {
    "checks": "assets/cleaned_prices?view=checks&checkDetail=enough_history",
    "promotion": "assets/production_models?view=partitions&partition=AAPL",
    "automation": "automation",
}
GROUPS = ("prices", "features", "models", "production", "backtests")


def main(dagster: str, service: str) -> None:
    """Write docs/pictures/*.png."""
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        take_the_page(browser, service)
        page = browser.new_page(viewport={"width": 1900, "height": 1900})
        take_asset_graph(page, dagster)
        page.set_viewport_size({"width": 1400, "height": 900})
        take_plot(page, dagster)
        for name, address in PAGES.items():
            page.goto(f"{dagster}/{address}", wait_until="networkidle")
            page.wait_for_timeout(4000)
            page.screenshot(path=PICTURES / f"{name}.png")
        page.set_viewport_size({"width": 1200, "height": 1080})
        for ticker, name in (("AAPL", "report"), ("SIM-EDGE-1", "report-edge")):  # the second by --source simulated
            if (file := Settings().reports / f"{ticker}.html").exists():
                take_report(page, file, name)
        browser.close()


def take_the_page(browser: Browser, service: str) -> None:
    """Take the table of all tickers, and the page of one: light theme on a desktop, dark theme on a phone."""
    table = {"viewport": {"width": 1440, "height": 540}}
    desk = {"viewport": {"width": 1280, "height": 930}}
    phone = {"viewport": {"width": 375, "height": 1180}, "color_scheme": "dark", "locale": "pt-BR"}
    for name, ticker, how in (("overview", "", table), ("page", "AAPL", desk), ("page-phone", "AAPL", phone)):
        page = browser.new_page(**how)
        page.goto(f"{service}/#{ticker}", wait_until="networkidle")
        page.locator("canvas, .overview td.number").first.wait_for()
        page.screenshot(path=PICTURES / f"{name}.png")
        page.close()


def take_report(page: Page, file: Path, name: str) -> None:
    """Take the top of a report's file."""
    page.goto(file.absolute().as_uri())
    page.locator("body[data-drawn] canvas").first.wait_for()
    page.wait_for_timeout(500)
    page.screenshot(path=PICTURES / f"{name}.png")


def take_asset_graph(page: Page, dagster: str) -> None:
    """Take the asset graph with every group expanded."""
    groups = ",".join(f"global@global:{group}" for group in GROUPS)
    page.goto(f"{dagster}/asset-groups?expanded={groups}", wait_until="networkidle")
    page.wait_for_timeout(3000)
    page.screenshot(path=PICTURES / "asset-graph.png")


def take_plot(page: Page, dagster: str) -> None:
    """Take an open plot of an asset's metadata."""
    page.goto(f"{dagster}/assets/lstm_model?view=partitions&partition=AAPL", wait_until="networkidle")
    page.get_by_role("row").filter(has_text="forecasts").get_by_text("[Show Markdown]").click()
    page.wait_for_timeout(2000)
    page.screenshot(path=PICTURES / "plot.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
