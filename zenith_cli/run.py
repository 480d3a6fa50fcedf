"""`zenith run`: the main job for some tickers, with progress, a table and what to do next."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from zenith_cli.progress import BatchProgress
from zenith_cli.run_table import show
from zenith_core.errors import UserError
from zenith_core.tickers import parse_tickers
from zenith_pipelines.batch import run_batch
from zenith_pipelines.settings import Settings, prepare_home
from zenith_pipelines.sources import make_source
from zenith_pipelines.sources.defaults import default_tickers
from zenith_pipelines.ticker_run import TickerRun, check_until


def run_tickers(
    tickers: str | None,
    source: str | None,
    csv_dir: Path | None,
    epochs: int | None,
    jobs: int | None,
    until: str | None,
    *,
    as_json: bool,
    verbose: bool,
) -> int:
    """Run the main job as asked, print what came of it, and return the exit status."""
    started = time.monotonic()
    settings = Settings()
    prepare_home(settings)
    check_until(until)
    chosen, names = _choose(settings, source, csv_dir, tickers)
    folder = str(csv_dir.resolve()) if csv_dir else None
    runs = [TickerRun(name, chosen, folder, epochs, until, "DEBUG" if verbose else "CRITICAL") for name in names]
    with BatchProgress(names, visible=not verbose) as progress:
        outcomes = run_batch(runs, jobs or os.cpu_count() or 1, progress.update)
    document = {"source": chosen, "seconds": round(time.monotonic() - started, 1), "tickers": outcomes}
    if as_json:
        print(json.dumps(_public(document), indent=2, allow_nan=False))
    else:
        show(document)
    for name, outcome in outcomes.items():
        if outcome["status"] != "ok":
            print(f"zenith: {name} {outcome['status']}: {outcome['reason']}", file=sys.stderr)
    return _exit_code(outcomes)


def _choose(settings: Settings, source: str | None, csv_dir: Path | None, tickers: str | None) -> tuple[str, list[str]]:
    """The source and the tickers, checked before anything is started."""
    chosen = source or ("csv" if csv_dir else settings.zenith_price_source)
    offered = make_source(chosen, csv_dir=csv_dir or settings.zenith_csv_dir)
    names = parse_tickers(tickers) if tickers is not None else list(default_tickers(offered))
    known = offered.tickers() or names
    if missing := [name for name in names if name not in known]:
        raise UserError(f"{', '.join(missing)}: not in the {chosen} prices, which have {', '.join(known)}")
    return chosen, names


def _exit_code(outcomes: dict[str, dict[str, Any]]) -> int:
    """0 if each ticker is ok or skipped and something was done; else the failures' own code, or 2."""
    failures = [outcome.get("exit_code", 1) for outcome in outcomes.values() if outcome["status"] == "failed"]
    if failures:
        return 1 if 1 in failures else 2
    return 0 if any(outcome["status"] == "ok" for outcome in outcomes.values()) else 2


def _public(document: dict[str, Any]) -> dict[str, Any]:
    tickers = {
        name: {key: value for key, value in outcome.items() if key != "exit_code"}
        for name, outcome in document["tickers"].items()
    }
    return {**document, "tickers": tickers}
