"""One Dagster run of a job for one ticker, in this process, and its outcome. Mostly `retrain_model`."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from zenith_core.asset_selection import (
    ALL,
    REFRESH,
    RETRAIN,
    STAGES,
    assets_to_refresh,
    assets_to_retrain,
    training_config,
)
from zenith_core.errors import StorageUnavailable, UserError
from zenith_core.model_kinds.configuration import Configuration
from zenith_pipelines.dagster_runtime.failures import failed_in_outage, failure_of
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.dagster_runtime.run_locks import hold_run_lock
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.defs.skips import skip_reason
from zenith_pipelines.execution.run_summary import describe
from zenith_pipelines.patience import be_patient
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import PARTITIONS, add_tickers, removal

if TYPE_CHECKING:
    import dagster as dg


@dataclass(frozen=True)
class TickerRun:
    """A run of `retrain_model`, or of `refresh_prices`, for one ticker.

    until:           the last asset to materialize
    models:          the configuration by kind of model; the defaults for all that it lacks
    model_type:      the models that `retrain_model` trains: a kind of model, or `all`
    allow_earlier_end: the data may end before those that are served
    as_of, archive:  a day, and the store that has the prices of that day
    """

    ticker: str
    source: str | None = None
    csv_dir: str | None = None
    epochs: int | None = None
    until: str | None = None
    job: str = RETRAIN
    model_type: str = ALL
    models: Configuration = field(default_factory=dict)
    allow_earlier_end: bool = False
    log_level: str = "CRITICAL"
    as_of: str | None = None
    archive: str | None = None
    run_id: str = field(default_factory=lambda: str(uuid4()))


def run_ticker(request: TickerRun, progress: Progress) -> dict[str, Any]:
    """Run the job for one ticker; return the outcome as `zenith run --json` prints it.

    A failed run has the status "failed", a reason of one line and the `exit_code` of its error. Dagster's event log
    has the traceback. Raises StorageUnavailable if a database was unavailable, and no other error of the run.
    """
    from zenith_pipelines.definitions import definitions

    be_patient()
    settings = Settings()
    with hold_run_lock(settings, request.run_id), open_instance(settings) as instance:
        add_tickers(instance, [request.ticker])
        instance.add_event_listener(request.run_id, lambda event: _report_progress(progress, event))
        result = (
            definitions(progress)
            .resolve_job_def(request.job)
            .execute_in_process(
                instance=instance,
                run_id=request.run_id,
                partition_key=request.ticker,
                run_config=_run_config(request),
                raise_on_error=False,
                asset_selection=_asset_keys(_assets(request)),
            )
        )
        exists = instance.has_dynamic_partition(PARTITIONS, request.ticker)
        return _outcome(request, result, ticker_exists=exists)


def check_until(stage: str | None) -> None:
    """Raise UserError unless `stage` is an asset of `retrain_model`."""
    if stage is not None and stage not in STAGES:
        raise UserError(f"--until: no asset of that name; the assets are {', '.join(STAGES)}")


def _assets(request: TickerRun) -> tuple[str, ...]:
    """Return the assets that the run materializes, in the order of STAGES."""
    if request.job == REFRESH:
        return assets_to_refresh(forecasts=DatasetStore(Settings().data_uri).exists("forecast_ledger", request.ticker))
    assets = assets_to_retrain(request.model_type)
    upstream = _upstream_of(request.until) if request.until else set(assets)
    return tuple(stage for stage in assets if stage in upstream)


def _upstream_of(stage: str) -> set[str]:
    """Return the assets that `stage` depends on, and `stage`."""
    import dagster as dg

    from zenith_pipelines.definitions import defs

    keys = dg.AssetSelection.assets(stage).upstream().resolve(defs.resolve_asset_graph())
    return {key.to_user_string() for key in keys}


def _asset_keys(assets: Sequence[str]) -> "list[dg.AssetKey] | None":
    """Return the keys of `assets`, or None for all of them, so that Dagster need not build a smaller job."""
    import dagster as dg

    return None if set(assets) == set(STAGES) else [dg.AssetKey(asset) for asset in assets]


def _run_config(request: TickerRun) -> dict[str, Any]:
    values = asdict(request)
    config = {
        "raw_prices": {key: values[key] for key in ("source", "csv_dir", "as_of", "archive") if values[key]},
    }
    assets = _assets(request)
    training = training_config(
        request.epochs, request.models, model_type=request.model_type, allow_earlier_end=request.allow_earlier_end
    )
    return {
        "ops": {
            **{asset: {"config": options} for asset, options in config.items() if options and asset in assets},
            **{asset: config for asset, config in training.items() if asset in assets or asset not in STAGES},
        },
        "loggers": {"console": {"config": {"log_level": request.log_level}}},
    }


def _report_progress(progress: Progress, event: "dg.EventLogEntry") -> None:
    stage = event.dagster_event.step_key if event.dagster_event else None
    if stage in STAGES and event.dagster_event:
        kind = event.dagster_event.event_type_value
        if kind in ("STEP_START", "STEP_SUCCESS"):
            progress.update(stage, int(kind == "STEP_SUCCESS"), 1)


def _outcome(request: TickerRun, result: "dg.ExecuteInProcessResult", *, ticker_exists: bool) -> dict[str, Any]:
    seconds = dict(_stage_seconds(result))
    document = describe(Settings(), request.ticker, assets=set(seconds), raw=_raw(result), seconds=seconds)
    if reason := skip_reason(result.all_events) or _unsuitable(result):
        return {"status": "skipped", "reason": reason, **document}
    if result.success:
        return {"status": "ok", "reason": None, **document}
    if not ticker_exists:
        return {"status": "failed", "reason": removal(request.ticker), "exit_code": 1, **document}
    reason, exit_code = failure_of(result)
    if failed_in_outage(result):
        raise StorageUnavailable(f"a database was unavailable during the run: {reason}")
    return {"status": "failed", "reason": reason, "exit_code": exit_code, **document}


def _raw(result: "dg.ExecuteInProcessResult") -> dict[str, Any]:
    """Return what `raw_prices` recorded: its snapshot, and how that differs from the one before."""
    for event in result.get_asset_materialization_events():
        if event.step_key == "raw_prices":
            metadata = event.materialization.metadata
            return {key: value.value for key, value in metadata.items() if not key.startswith("dagster/")}
    return {}


def _stage_seconds(result: "dg.ExecuteInProcessResult") -> Iterator[tuple[str, float]]:
    """Yield the assets that the run materialized: the step of one that skips the ticker succeeds, too."""
    stages = {str(event.step_key) for event in result.get_asset_materialization_events()} & set(STAGES)
    for event in result.all_events:
        if event.event_type_value == "STEP_SUCCESS" and event.step_key and event.step_key in stages:
            yield event.step_key, round(event.step_success_data.duration_ms / 1000, 3)


def _unsuitable(result: "dg.ExecuteInProcessResult") -> str | None:
    """Return the reason if data that were served are too short now, or stand still; None if they end earlier.

    Dagster has that run as failed. A ticker that was never served is skipped there, too.
    """
    if result.success:
        return None
    failed = {check.check_name: check.description for check in result.get_asset_check_evaluations() if not check.passed}
    reasons = [failed[name] for name in ("enough_history", "prices_move", "enough_to_train") if name in failed]
    return None if "end_not_before_served" in failed else next(iter(reasons), None)
