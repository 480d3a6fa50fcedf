"""`zenith run`: the main job for some tickers, with progress bars, a result table and next steps."""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

from zenith_cli.config_options import parse_models
from zenith_cli.progress_bars import BatchProgress
from zenith_cli.run_table import show
from zenith_core.errors import UserError
from zenith_core.market.exchanges import listed_tickers
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.words import counted
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.execution.job_run import run_job
from zenith_pipelines.execution.run_plan import RunPlan, plan_run
from zenith_pipelines.execution.ticker_run import TickerRun, check_until
from zenith_pipelines.execution.worker_pool import run_batch
from zenith_pipelines.ingestion.point_in_time import as_of_home, as_of_state, parse_day, snapshot_as_of
from zenith_pipelines.ingestion.sources import make_source
from zenith_pipelines.ingestion.sources.defaults import default_source, default_tickers
from zenith_pipelines.production.evidence import Claims, served_signal
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.reachability import require_database
from zenith_pipelines.registry.trials import publish_trials
from zenith_pipelines.settings import Settings, prepare_home

_FEWEST_TOGETHER = 2  # tickers


def run_tickers(
    tickers: str | None,
    source: str | None,
    csv_dir: Path | None,
    epochs: int | None,
    jobs: int | None,
    until: str | None,
    as_of: str | None = None,
    *,
    config: Sequence[str] = (),
    plan: bool = False,
    as_json: bool,
    verbose: bool,
) -> int:
    """Run the main job, print its outcome and return the exit status. `plan`: only say what it would take."""
    start = time.monotonic()
    settings = Settings()
    prepare_home(settings)
    check_until(until)
    require_servers(settings)  # not after minutes of training
    template = TickerRun(
        "",
        epochs=epochs,
        models=parse_models(config),
        until=until,
        log_level="DEBUG" if verbose else "CRITICAL",
    )
    if as_of is not None:
        day = parse_day(as_of)
        runs = _plan_rebuild(settings, day, tickers, template, has_source=bool(source or csv_dir))
        state: AbstractContextManager[None] = as_of_state(settings, day)
    else:
        runs, state = _plan_runs(settings, source, csv_dir, tickers, template), nullcontext()
    slots = jobs or os.cpu_count() or 1
    if plan:
        return _print_plan(plan_run(settings, [run.ticker for run in runs], slots), as_json=as_json)
    with state, BatchProgress([run.ticker for run in runs], visible=not verbose) as progress:
        outcomes = _with_evidence(run_batch(runs, slots, progress.update))
    if not as_of and any(outcome.get("backtest") for outcome in outcomes.values()):
        publish_trials(DatasetStore(settings.data_uri))
    together = None if as_of else _forecast_together(settings, outcomes)
    document = {
        "source": ", ".join(sorted({run.source or "snapshot" for run in runs})),
        "as_of": runs[0].as_of,
        "seconds": round(time.monotonic() - start, 1),
        "tickers": outcomes,
        **({"universe": together} if together else {}),
    }
    _print(document, settings, as_json=as_json)
    for remark in (*_remarks(outcomes), *_universe_remarks(together)):
        print(f"zenith: {remark}", file=sys.stderr)
    return exit_code(outcomes)


def _with_evidence(outcomes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the outcomes with the evidence for each kind that answers, and with the signals that are served."""
    if not any(outcome.get("forecast") for outcome in outcomes.values()):
        return outcomes
    claims = Claims(DatasetStore(Settings().data_uri))
    for ticker, outcome in outcomes.items():
        if forecast := outcome.get("forecast"):
            kinds = ANSWERS.of(ticker).values()
            outcome["evidence"] = {kind: claims.of_kind(ticker, kind, forecast["horizon"]) for kind in kinds}
            outcome["forecast"] = served_signal(
                forecast, is_claim=claims.has_discovered(ticker, ANSWERS.of(ticker)["signal"])
            )
    return outcomes


def _forecast_together(settings: Settings, outcomes: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Forecast all tickers of the home together, for books and ranks; None if none has changed or fewer than two are.

    A failure fails no ticker.
    """
    if all(outcome["status"] != "ok" for outcome in outcomes.values()):
        return None
    if len(DatasetStore(settings.data_uri).tickers("serving_snapshot")) < _FEWEST_TOGETHER:
        return None
    outcome = run_job("forecast_universe", {})
    return {key: outcome[key] for key in ("status", "reason", "as_of", "tickers", "left_out") if key in outcome}


def _universe_remarks(together: dict[str, Any] | None) -> list[str]:
    if together is None or together["status"] == "ok":
        return []
    return [f"the forecast of all tickers failed: {together['reason']}; `zenith job forecast_universe` repeats it"]


def require_servers(settings: Settings) -> None:
    """Raise StorageUnavailable or UserError if a database or the MLflow of the settings does not answer."""
    if settings.database_url:
        from zenith_pipelines.dagster_runtime.storage import database_url  # imports Dagster

        url = database_url(settings.database_url.get_secret_value())
        require_database(url.render_as_string(hide_password=False), "DATABASE_URL")
    require_database(settings.tracking_uri)
    if settings.tracking_uri.startswith("http"):
        ModelRegistry(settings.tracking_uri, settings.artifact_root).client  # noqa: B018  # asks the server


def _plan_runs(
    settings: Settings, source: str | None, csv_dir: Path | None, tickers: str | None, template: TickerRun
) -> list[TickerRun]:
    """Return a run per ticker, by default from its own source. Raises UserError for an unknown source or ticker."""
    chosen = source or ("csv" if csv_dir else None)
    default = make_source(chosen or settings.zenith_price_source, csv_dir=csv_dir or settings.zenith_csv_dir)
    names = listed_tickers(tickers) if tickers is not None else list(default_tickers(default))
    if chosen:
        places = {name: (chosen, csv_dir) for name in names}
    else:
        store = DatasetStore(settings.data_uri)
        places = {name: default_source(settings, store, name) for name in names}
    for place in dict.fromkeys(places.values()):
        prices = make_source(place[0], csv_dir=place[1] or settings.zenith_csv_dir)
        if missing := [name for name in names if places[name] == place and not prices.offers(name)]:
            available = ", ".join(prices.tickers() or ())
            raise UserError(f"{', '.join(missing)}: not in the {prices.name} prices, which have {available}")
    return [
        replace(template, ticker=name, source=source, csv_dir=_folder_of(source, folder), run_id=str(uuid4()))
        for name, (source, folder) in places.items()
    ]


def _folder_of(source: str, folder: Path | None) -> str | None:
    return str(folder.resolve()) if folder and source == "csv" else None


def _plan_rebuild(
    settings: Settings, day: date, tickers: str | None, template: TickerRun, *, has_source: bool
) -> list[TickerRun]:
    """Return the runs that rebuild a past day. Raises NotAvailable if a ticker had no prices by then."""
    if has_source:
        raise UserError("--as-of uses stored prices and fetches none: leave out --source and --csv-dir")
    prices = make_source(settings.zenith_price_source, csv_dir=settings.zenith_csv_dir)
    names = listed_tickers(tickers) if tickers is not None else list(default_tickers(prices))
    store = DatasetStore(settings.data_uri)
    for name in names:
        snapshot_as_of(store, name, day)
    template = replace(template, as_of=day.isoformat(), archive=settings.data_uri)
    return [replace(template, ticker=name, run_id=str(uuid4())) for name in names]


def _print_plan(plan: RunPlan, *, as_json: bool) -> int:
    """Print a plan; return 1 if the disk has no space for it."""
    fits = plan.bytes < plan.free_bytes
    if as_json:
        print(json.dumps({**asdict(plan), "fits": fits}, indent=2))
        return 0 if fits else 1
    origin = (
        f"the median of {counted(plan.past_runs, 'past run')}"
        if plan.past_runs
        else "the default; no run has ended here yet"
    )
    each = f"{plan.seconds_per_ticker:.0f} s each, {origin}"
    print(f"{counted(plan.tickers, 'ticker')}, {plan.jobs} at a time: about {duration(plan.seconds)} ({each})")
    first, further = counted(plan.new, "first run"), counted(plan.tickers - plan.new, "further one")
    print(f"disk: {plan.bytes / 1e6:,.0f} MB for {first} and {further}")
    print(f"free: {plan.free_bytes / 1e9:,.1f} GB{'' if fits else ': not enough'}")
    return 0 if fits else 1


def duration(seconds: float) -> str:
    """Return a duration in the two largest of days, hours, minutes and seconds."""
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, seconds = divmod(round(seconds), size)
        parts += [f"{count} {unit}"] if count or parts else []
    return " ".join(parts[:2]) or "0 s"


def _print(document: dict[str, Any], settings: Settings, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_public(document), indent=2, allow_nan=False))
        return
    show(document)
    if document["as_of"]:
        home = as_of_home(settings, date.fromisoformat(document["as_of"]))
        print(f"Rebuilt as of {document['as_of']}; current data is unchanged. To use it: `ZENITH_HOME={home} zenith …`")


def _remarks(outcomes: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each ticker that is not ok, and for each candidate that was not promoted."""
    for name, outcome in outcomes.items():
        if outcome["status"] != "ok":
            yield f"{name} {outcome['status']}: {outcome['reason']}"
        for kind, model in outcome.get("models", {}).items():
            if model["promotion"] and model["production"] != model["version"]:
                yield f"{name} {kind} v{model['version']} was not promoted: {model['promotion']}"


def exit_code(outcomes: dict[str, dict[str, Any]]) -> int:
    """Return 0 if no ticker failed and at least one is ok, 1 if any failure has code 1, else 2."""
    failures = [outcome.get("exit_code", 1) for outcome in outcomes.values() if outcome["status"] == "failed"]
    if failures:
        return 1 if 1 in failures else 2
    return 0 if any(outcome["status"] == "ok" for outcome in outcomes.values()) else 2


def _public(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "tickers": public_tickers(document["tickers"])}


def public_tickers(outcomes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the outcomes without their exit codes, which are internal."""
    return {
        name: {key: value for key, value in outcome.items() if key != "exit_code"} for name, outcome in outcomes.items()
    }
