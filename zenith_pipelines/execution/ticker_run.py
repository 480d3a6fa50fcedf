"""A job for one ticker, mostly the main one: one Dagster run in this process, and what came of it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from zenith_core.asset_selection import ALL, REFRESH, RETRAIN, STAGES, assets_to_refresh, assets_to_retrain
from zenith_core.errors import StorageUnavailable, UserError, errors_by_name
from zenith_core.names import KINDS
from zenith_pipelines.dagster_runtime.dead_runs import hold_run_lock
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.execution.run_summary import describe
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import PARTITIONS, add_tickers, removal

if TYPE_CHECKING:
    import dagster as dg
    from dagster_shared.error import SerializableErrorInfo


# What SQLAlchemy and dagster-postgres raise when a database does not answer, Dagster's or MLflow's.
_AWAY = {"OperationalError", "DagsterPostgresException", "StorageUnavailable"}


@dataclass(frozen=True)
class TickerRun:
    """What is asked of one run of a job: of the main one, or of `refresh_prices`.

    until:           the last asset to make
    model_type:      one of MODEL_TYPES: what the main job trains
    as_of, archive:  a day, and the store that knows its prices
    """

    ticker: str
    source: str | None = None
    csv_dir: str | None = None
    epochs: int | None = None
    until: str | None = None
    job: str = RETRAIN
    model_type: str = ALL
    log_level: str = "CRITICAL"
    as_of: str | None = None
    archive: str | None = None
    run_id: str = field(default_factory=lambda: str(uuid4()))


def run_ticker(request: TickerRun, progress: Progress) -> dict[str, Any]:
    """Run the job for one ticker and describe the outcome, as the command's JSON does.

    A failed run has the status "failed", a reason of one line, and the `exit_code` that its error calls for. Its
    traceback is in Dagster's event log. Raises StorageUnavailable if it failed since a database went away: what happens
    inside the run raises nothing else.
    """
    from zenith_pipelines.definitions import definitions

    settings = Settings()
    with hold_run_lock(settings, request.run_id), open_instance(settings) as instance:
        add_tickers(instance, [request.ticker])
        instance.add_event_listener(request.run_id, lambda event: _tell(progress, event))
        result = (
            definitions(progress)
            .resolve_job_def(request.job)
            .execute_in_process(
                instance=instance,
                run_id=request.run_id,
                partition_key=request.ticker,
                run_config=_run_config(request),
                raise_on_error=False,
                asset_selection=_keys(_made(request)),
            )
        )
        removed = not instance.has_dynamic_partition(PARTITIONS, request.ticker)
        return _outcome(request, result, removed=removed)


def check_until(stage: str | None) -> None:
    """Raise UserError unless `stage` is an asset of the main job."""
    if stage is not None and stage not in STAGES:
        raise UserError(f"--until: no asset of that name; the assets are {', '.join(STAGES)}")


def check_model_type(store: DatasetStore, ticker: str, model_type: str) -> None:
    """Raise UserError if the ticker lacks the model that is not to be trained: report and promotion need both."""
    for kind in KINDS:
        if model_type not in (kind, ALL) and not store.exists(f"{kind}_model", ticker):
            raise UserError(f"{ticker} has no {kind} model yet: train all of them the first time")


def _made(request: TickerRun) -> tuple[str, ...]:
    """The assets that the run is to make, in the order of STAGES."""
    if request.job == REFRESH:
        return assets_to_refresh(forecasts=DatasetStore(Settings().data_uri).exists("forecast_ledger", request.ticker))
    made = assets_to_retrain(request.model_type)
    needed = _needed_for(request.until) if request.until else set(made)
    return tuple(stage for stage in made if stage in needed)


def _needed_for(stage: str) -> set[str]:
    import dagster as dg

    from zenith_pipelines.definitions import defs

    keys = dg.AssetSelection.assets(stage).upstream().resolve(defs.resolve_asset_graph())
    return {key.to_user_string() for key in keys}


def _keys(assets: Sequence[str]) -> "list[dg.AssetKey] | None":
    """The keys of `assets`; None for all, which spares the making of a job of some."""
    import dagster as dg

    return None if set(assets) == set(STAGES) else [dg.AssetKey(asset) for asset in assets]


def _run_config(request: TickerRun) -> dict[str, Any]:
    chosen = asdict(request)
    config = {
        "raw_prices": {key: chosen[key] for key in ("source", "csv_dir", "as_of", "archive") if chosen[key]},
        "lstm_model": {"epochs": request.epochs} if request.epochs else {},
    }
    made = _made(request)
    return {
        "ops": {asset: {"config": values} for asset, values in config.items() if values and asset in made},
        "loggers": {"console": {"config": {"log_level": request.log_level}}},
    }


def _tell(progress: Progress, event: "dg.EventLogEntry") -> None:
    stage = event.dagster_event.step_key if event.dagster_event else None
    if stage in STAGES and event.dagster_event:
        kind = event.dagster_event.event_type_value
        if kind in ("STEP_START", "STEP_SUCCESS"):
            progress.update(stage, int(kind == "STEP_SUCCESS"), 1)


def _outcome(request: TickerRun, result: "dg.ExecuteInProcessResult", *, removed: bool) -> dict[str, Any]:
    store = DatasetStore(Settings().data_uri)
    seconds = dict(_stage_seconds(result))
    document = describe(store, request.ticker, made=set(seconds), raw=_raw(result), seconds=seconds)
    if result.success:
        return {"status": "ok", "reason": None, **document}
    if reason := _too_short(result):
        return {"status": "skipped", "reason": reason, **document}
    if removed:
        return {"status": "failed", "reason": removal(request.ticker), "exit_code": 1, **document}
    reason, exit_code = failure_of(result)
    if any(_mentions(event, _AWAY) for event in result.all_events):
        raise StorageUnavailable(f"a database went away while the run worked: {reason}")
    return {"status": "failed", "reason": reason, "exit_code": exit_code, **document}


def _raw(result: "dg.ExecuteInProcessResult") -> dict[str, Any]:
    """What the run recorded of its fetch: its snapshot, and how it differs from the last."""
    for event in result.get_asset_materialization_events():
        if event.step_key == "raw_prices":
            metadata = event.materialization.metadata
            return {key: value.value for key, value in metadata.items() if not key.startswith("dagster/")}
    return {}


def _stage_seconds(result: "dg.ExecuteInProcessResult") -> Iterator[tuple[str, float]]:
    for event in result.all_events:
        if event.event_type_value == "STEP_SUCCESS" and event.step_key in STAGES:
            yield event.step_key, round(event.step_success_data.duration_ms / 1000, 3)


def _too_short(result: "dg.ExecuteInProcessResult") -> str | None:
    for check in result.get_asset_check_evaluations():
        if check.check_name == "enough_history" and not check.passed:
            return check.description
    return None


def failure_of(result: "dg.ExecuteInProcessResult") -> tuple[str, int]:
    """Why the run failed, in one line, and the exit code that it calls for."""
    for check in result.get_asset_check_evaluations():
        if not check.passed and check.blocking and check.severity.value == "ERROR":
            return f"{check.asset_key.to_user_string()}: check {check.check_name}: {check.description}", 1
    for event in result.all_events:
        if event.event_type_value == "STEP_FAILURE":
            reason, exit_code = why(event.step_failure_data.error)
            return f"{event.step_key}: {reason}", exit_code
        if event.event_type_value == "PIPELINE_FAILURE":
            return why(event.job_failure_data.error)
    return "the run ended without a reason", 1


def _mentions(event: "dg.DagsterEvent", names: set[str]) -> bool:
    """Whether the failure that the event tells of was raised from an error of one of these classes."""
    error = None
    if event.event_type_value == "STEP_FAILURE":
        error = event.step_failure_data.error
    elif event.event_type_value == "PIPELINE_FAILURE":
        error = event.job_failure_data.error
    while error and error.cls_name not in names:
        error = error.cause
    return error is not None


def why(error: "SerializableErrorInfo | None") -> tuple[str, int]:
    """The first error of the chain that was raised on purpose; what it was raised from explains only to developers."""
    known, message = errors_by_name(), "no reason recorded"
    while error:
        message = " ".join(error.message.split())
        if error.cls_name in known:
            return message.partition(": ")[2], known[error.cls_name].exit_code
        error = error.cause
    return message, 1
