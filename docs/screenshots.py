"""Take the README's pictures from the running program: after `make run`, with `zenith ui` running.

.venv/bin/python docs/screenshots.py http://127.0.0.1:3000
"""

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from zenith_pipelines.settings import Settings

PICTURES = Path(__file__).parent / "pictures"
GROUPS = ("prices", "features", "models", "production", "backtests")


def main(dagster: str) -> None:
    """Write docs/pictures/asset-graph.png and report.png."""
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1900, "height": 1300})
        take_asset_graph(page, dagster)
        page.set_viewport_size({"width": 1200, "height": 1080})
        page.goto(f"file://{Settings().reports / 'AAPL.html'}")
        page.screenshot(path=PICTURES / "report.png")
        browser.close()


def take_asset_graph(page: Page, dagster: str) -> None:
    """The whole graph, each group opened."""
    opened = ",".join(f"global@global:{group}" for group in GROUPS)
    page.goto(f"{dagster}/asset-groups?expanded={opened}", wait_until="networkidle")
    page.wait_for_timeout(3000)
    page.screenshot(path=PICTURES / "asset-graph.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
