"""The time to the first rows of the page's table of all tickers in Chromium, over loopback.

The home has copies of a trained home's models and snapshots. A visit has a browser context of its own, so nothing is
cached. First rows: two frames after a MutationObserver, which was there before the page, saw the first forecast. The
whole table is there when the count is that of all tickers. Turning a page takes until the second frame after the click.
Then the table is sorted, filtered, searched and scrolled; the longest task of the main thread is that of Chromium's own
observer of long tasks, which tells of those from 50 ms.
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
FIGURES = ("first", "again", "whole", "turn", "loading", "using")
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
  window.tasks = [];
  new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((task) => task.duration)))
    .observe({ type: "longtask", buffered: true });
"""
TURN = """async () => {
  const start = performance.now();
  [...document.querySelectorAll(".pages button")][1].click();
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  return performance.now() - start;
}"""
USE = """async () => {
  const drawn = () => new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)));
  const write = async (field, text) => {
    for (let end = 0; end <= text.length; end += 1) {
      field.value = text.slice(0, end);
      field.dispatchEvent(new Event("input", { bubbles: true }));
      await drawn();
    }
  };
  for (const name of [...document.querySelectorAll("[data-sort]")].map((button) => button.dataset.sort)) {
    for (let turn = 0; turn < 2; turn += 1) {
      document.querySelector(`[data-sort="${name}"]`).click();
      await drawn();
    }
  }
  const shown = document.getElementById("overview-shown");
  for (const { value } of shown.options) {
    shown.value = value;
    shown.dispatchEvent(new Event("change"));
    await drawn();
  }
  shown.value = "all";
  shown.dispatchEvent(new Event("change"));
  await write(document.getElementById("overview-filter"), "T99");
  await write(document.getElementById("overview-filter"), "");
  await write(document.getElementById("search"), "T99");
  document.getElementById("search").blur();
  for (let top = 0; top < document.body.scrollHeight; top += 100) {
    scrollTo(0, top);
    await drawn();
  }
  await new Promise((then) => setTimeout(then, 200));
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
            turn = page.evaluate(TURN)
            loading = page.evaluate("Math.max(0, ...window.tasks.splice(0))")
            page.evaluate(USE)
            using = page.evaluate("Math.max(0, ...window.tasks)")
            visits.append({**seen, "turn": turn, "loading": loading, "using": using})
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
        *(Figure(name, max(one[name] for one in visits)) for name in ("loading", "using")),
    ]


if __name__ == "__main__":
    main()
