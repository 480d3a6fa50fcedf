"""The time to the first rows of the page's table of all tickers in Chromium, over loopback.

The home has copies of a trained home's models and snapshots. A visit has a browser context of its own, so nothing is
cached. First rows: two frames after a MutationObserver, which was there before the page, saw the first forecast. The
whole table is there when the count is that of all tickers. Turning a page takes until the second frame after the click.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.figures import Figure, add_json, report
from harness.servers import many_tickers, zenith

from zenith_serving.settings import Settings

ROOT = Path(__file__).parents[1]
FIGURES = ("first", "again", "whole", "turn")
TICKERS = 1_000
VISITS = 7

WATCH = """
  window.seen = {};
  new MutationObserver(() => {
    if (!window.seen.row && document.querySelector(".overview tbody td.number"))
      requestAnimationFrame(() => requestAnimationFrame(() => { window.seen.row ??= performance.now(); }));
    const count = document.querySelector(".pages [role=status]")?.textContent.replace(/\\D/g, "");
    if (Number(count) === TICKERS) window.seen.whole ??= performance.now();
  }).observe(document, { childList: true, subtree: true });
"""
TURN = """async () => {
  const start = performance.now();
  [...document.querySelectorAll(".pages button")][1].click();
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  return performance.now() - start;
}"""


def main() -> None:
    """Serve the tickers, visit the page, print the figures beside their bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--home", type=Path, required=True, help="A home of `zenith run --source sample` that was served."
    )
    parser.add_argument("--tickers", type=int, default=TICKERS)
    add_json(parser)
    arguments = parser.parse_args()
    trained = Settings(zenith_home=arguments.home, mlflow_tracking_uri=None, models_path=None, zenith_data_uri=None)
    with tempfile.TemporaryDirectory() as folder:
        settings = many_tickers(trained, Path(folder), arguments.tickers)
        with zenith(settings) as server:
            visits = visit(f"http://127.0.0.1:{server.port}/", arguments.tickers)
    report("overview", figures_of(visits), arguments.json)


def visit(address: str, tickers: int) -> list[Mapping[str, float]]:
    """Return the milliseconds of each visit."""
    sys.path.insert(0, str(ROOT))
    from playwright.sync_api import sync_playwright

    from tests.chromium import CHROMIUM, MISSING

    if CHROMIUM is None:
        raise SystemExit(MISSING)
    visits: list[Mapping[str, float]] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for _ in range(1 + VISITS):
            # the page allows no eval, by which Playwright waits for a condition
            context = browser.new_context(viewport={"width": 1440, "height": 900}, bypass_csp=True)
            page = context.new_page()
            page.add_init_script(WATCH.replace("TICKERS", str(tickers)))
            page.goto(address)
            page.wait_for_function("window.seen.whole && window.seen.row", timeout=600_000)
            seen: dict[str, Any] = page.evaluate("window.seen")
            visits.append({**seen, "turn": page.evaluate(TURN)})
            print(", ".join(f"{name} {value:.0f} ms" for name, value in visits[-1].items()), flush=True)
            context.close()
        browser.close()
    return visits


def figures_of(visits: list[Mapping[str, float]]) -> list[Figure]:
    """Return the figures: those of the first visit after the service's start, and medians of the later ones."""
    first, later = visits[0], visits[1:]
    medians = {name: statistics.median(one[name] for one in later) / 1000 for name in ("row", "whole")}
    return [
        Figure("first", first["row"] / 1000),
        Figure("again", medians["row"]),
        Figure("whole", medians["whole"]),
        Figure("turn", statistics.median(one["turn"] for one in later)),
    ]


if __name__ == "__main__":
    main()
