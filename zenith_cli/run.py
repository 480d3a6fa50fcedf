"""`zenith run`: the main job for some tickers, with progress, a table and what to do next."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

from zenith_cli.progress_bars import BatchProgress
from zenith_cli.run_table import show
from zenith_core.errors import UserError
from zenith_core.market.exchanges import listed_tickers
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.execution.ticker_run import TickerRun, check_until
from zenith_pipelines.execution.worker_pool import run_batch
from zenith_pipelines.ingestion.point_in_time import as_of_home, as_of_state, parse_day, snapshot_as_of
from zenith_pipelines.ingestion.sources import make_source
from zenith_pipelines.ingestion.sources.defaults import default_tickers
from zenith_pipelines.settings import Settings, prepare_home


def run_tickers(
    tickers: str | None,
    source: str | None,
    csv_dir: Path | None,
    epochs: int | None,
    jobs: int | None,
    until: str | None,
    as_of: str | None = None,
    *,
    as_json: bool,
    verbose: bool,
) -> int:
    """Run the main job as asked, print what came of it, and return the exit status."""
    started = time.monotonic()
    settings = Settings()
    prepare_home(settings)
    check_until(until)
    template = TickerRun("", epochs=epochs, until=until, log_level="DEBUG" if verbose else "CRITICAL")
    if as_of is not None:
        day = parse_day(as_of)
        runs = _runs_as_of(settings, day, tickers, template, elsewhere=source or csv_dir)
        state: AbstractContextManager[None] = as_of_state(settings, day)
    else:
        runs, state = _runs(settings, source, csv_dir, tickers, template), nullcontext()
    with state, BatchProgress([run.ticker for run in runs], visible=not verbose) as progress:
        outcomes = run_batch(runs, jobs or os.cpu_count() or 1, progress.update)
    document = {
        "source": runs[0].source or "snapshot",
        "as_of": runs[0].as_of,
        "seconds": round(time.monotonic() - started, 1),
        "tickers": outcomes,
    }
    _print(document, settings, as_json=as_json)
    for remark in _remarks(outcomes):
        print(f"zenith: {remark}", file=sys.stderr)
    return exit_code(outcomes)


def _runs(
    settings: Settings, source: str | None, csv_dir: Path | None, tickers: str | None, template: TickerRun
) -> list[TickerRun]:
    """The runs asked for; source and tickers are checked before anything is started."""
    chosen = source or ("csv" if csv_dir else settings.zenith_price_source)
    offered = make_source(chosen, csv_dir=csv_dir or settings.zenith_csv_dir)
    names = listed_tickers(tickers) if tickers is not None else list(default_tickers(offered))
    if missing := [name for name in names if not offered.offers(name)]:
        known = ", ".join(offered.tickers() or ())
        raise UserError(f"{', '.join(missing)}: not in the {chosen} prices, which have {known}")
    folder = str(csv_dir.resolve()) if csv_dir else None
    return [replace(template, ticker=name, source=chosen, csv_dir=folder, run_id=str(uuid4())) for name in names]


def _runs_as_of(
    settings: Settings, day: date, tickers: str | None, template: TickerRun, *, elsewhere: object
) -> list[TickerRun]:
    """The runs that rebuild a past day. Raises NotAvailable if nothing was known then of one of the tickers."""
    if elsewhere:
        raise UserError("--as-of fetches nothing: it takes stored snapshots, so leave out --source and --csv-dir")
    usual = make_source(settings.zenith_price_source, csv_dir=settings.zenith_csv_dir)
    names = listed_tickers(tickers) if tickers is not None else list(default_tickers(usual))
    store = DatasetStore(settings.data_uri)
    for name in names:
        snapshot_as_of(store, name, day)
    template = replace(template, as_of=day.isoformat(), archive=settings.data_uri)
    return [replace(template, ticker=name, run_id=str(uuid4())) for name in names]


def _print(document: dict[str, Any], settings: Settings, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_public(document), indent=2, allow_nan=False))
        return
    show(document)
    if document["as_of"]:
        home = as_of_home(settings, date.fromisoformat(document["as_of"]))
        print(f"As of {document['as_of']}; the present is as it was. All of it: `ZENITH_HOME={home} zenith …`")


def _remarks(outcomes: dict[str, dict[str, Any]]) -> Iterator[str]:
    """A line for each ticker that is not ok, and for each candidate that did not become Production."""
    for name, outcome in outcomes.items():
        if outcome["status"] != "ok":
            yield f"{name} {outcome['status']}: {outcome['reason']}"
        for kind, model in outcome.get("models", {}).items():
            if model["promotion"] and model["production"] != model["version"]:
                yield f"{name} {kind} v{model['version']} was not promoted: {model['promotion']}"


def exit_code(outcomes: dict[str, dict[str, Any]]) -> int:
    """0 if each ticker is ok or skipped and something was done; else the failures' own code, or 2."""
    failures = [outcome.get("exit_code", 1) for outcome in outcomes.values() if outcome["status"] == "failed"]
    if failures:
        return 1 if 1 in failures else 2
    return 0 if any(outcome["status"] == "ok" for outcome in outcomes.values()) else 2


def _public(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "tickers": public_tickers(document["tickers"])}


def public_tickers(outcomes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The outcomes without what is only for the exit status."""
    return {
        name: {key: value for key, value in outcome.items() if key != "exit_code"} for name, outcome in outcomes.items()
    }
