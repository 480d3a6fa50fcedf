"""`zenith job`: run a Dagster job in this process and its workers."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from pydantic import ValidationError

from zenith_cli.config_options import parse_config
from zenith_cli.progress_bars import BatchProgress
from zenith_cli.run import exit_code, public_tickers, require_servers
from zenith_core.asset_selection import REFRESH, REFRESH_ASSETS, RETRAIN, assets_to_retrain
from zenith_core.errors import UserError
from zenith_core.job_options import JobOptions, TickerTrainingOptions, TrainingOptions
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.defs.run_requests import check_model_type
from zenith_pipelines.execution.job_run import job_names, run_job
from zenith_pipelines.execution.ticker_run import TickerRun
from zenith_pipelines.execution.worker_pool import run_batch
from zenith_pipelines.settings import Settings, prepare_home
from zenith_pipelines.tickers import select_tickers

_RETRAIN_ALL = "retrain_all_models"  # in Dagster it only requests the runs; here they start at once
_CACHE = "clear_prediction_cache"
_OPTIONS = {RETRAIN: TickerTrainingOptions, _RETRAIN_ALL: TrainingOptions, REFRESH: JobOptions}


def run_named(name: str, tickers: str | None, config: Sequence[str], jobs: int | None, *, as_json: bool) -> int:
    """Run the job, print its outcome and return the exit status. Raises UserError before starting anything."""
    settings = Settings()
    prepare_home(settings)
    per_ticker = job_names()
    if name not in per_ticker:
        raise UserError(f"unknown job; the jobs are {', '.join(per_ticker)}")
    values = parse_config(config)
    if name != _CACHE:
        require_servers(settings)  # else each run would try for minutes
    if name in _OPTIONS:
        outcomes = _run_tickers(settings, name, _select_tickers(settings, tickers), values, jobs)
        document: dict[str, Any] = {"job": name, "tickers": public_tickers(outcomes)}
    elif per_ticker[name]:
        outcomes = {ticker: run_job(name, values, ticker) for ticker in _select_tickers(settings, tickers)}
        document = {"job": name, "tickers": public_tickers(outcomes)}
    else:
        if tickers is not None:
            raise UserError(f"--tickers: {name} does not run per ticker; leave the option out")
        outcomes = {name: run_job(name, values)}
        document = {"job": name, **public_tickers(outcomes)[name]}
    _print(document, outcomes, as_json=as_json)
    return exit_code(outcomes)


def _run_tickers(
    settings: Settings, name: str, tickers: Sequence[str], values: Mapping[str, Any], jobs: int | None
) -> dict[str, dict[str, Any]]:
    """Run the job for each ticker in worker processes, like `zenith run`."""
    options = TickerTrainingOptions(**_options(name, values).model_dump())
    store = DatasetStore(settings.data_uri)
    for ticker in tickers:
        check_model_type(store, ticker, options.model_type)
    job = REFRESH if name == REFRESH else RETRAIN
    runs = [TickerRun(ticker, job=job, **options.model_dump(), run_id=str(uuid4())) for ticker in tickers]
    stages = REFRESH_ASSETS if job == REFRESH else assets_to_retrain(options.model_type)
    with BatchProgress(list(tickers), visible=True, stages=stages) as progress:
        return run_batch(runs, jobs or os.cpu_count() or 1, progress.update)


def _select_tickers(settings: Settings, tickers: str | None) -> list[str]:
    """Return the tickers of `--tickers`, or all. Raises InvalidTicker or NotAvailable."""
    with open_instance(settings) as instance:
        return select_tickers(instance, [] if tickers is None else [tickers])


def _options(name: str, values: Mapping[str, Any]) -> JobOptions:
    """Return the validated options of a job. Raises UserError."""
    options = _OPTIONS[name]
    try:
        return options.model_validate(values, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:  # of a model's configuration
            raise UserError(f"--config: {first['msg']}") from None
        field, message = first["loc"][0], first["msg"]
    if field not in options.model_fields:
        raise UserError(f"--config: {name} takes {', '.join(options.model_fields) or 'nothing'}, not {field}")
    raise UserError(f"--config: {field}: {message}")


def _print(document: Mapping[str, Any], outcomes: Mapping[str, dict[str, Any]], *, as_json: bool) -> None:
    """Print the document, or a line per outcome. Failures go to stderr."""
    if as_json:
        print(json.dumps(document, indent=2, allow_nan=False))
    for name, outcome in outcomes.items():
        if outcome["status"] != "ok":
            print(f"zenith: {name} {outcome['status']}: {outcome['reason']}", file=sys.stderr)
        elif not as_json:
            print(f"{name} ok" + "".join(f" · {detail}" for detail in _details(outcome)))


def _details(outcome: Mapping[str, Any]) -> list[str]:
    if "last" in outcome:
        versions = [f"{kind} v{model['version']}" for kind, model in outcome["models"].items()]
        return [f"prices until {outcome['last']}", *versions]
    texts = {key: str(value) for key, value in outcome.items() if key != "status" and value is not None}
    return [f"{key} {value}" for key, value in texts.items() if "\n" not in value]  # tables: in the UI or with --json
