"""Time and disk space that the main job needs, from past runs, or as measured before."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from zenith_core.asset_selection import RETRAIN
from zenith_pipelines.dagster_runtime.instance import dagster_home, open_instance
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.disk_space import AGAIN_BYTES, FIRST_BYTES
from zenith_pipelines.settings import Settings, prepare_home

SECONDS = 26.0  # of a ticker in one of two workers
START_SECONDS = 10.0  # until a worker has imported its libraries
_PAST_RUNS = 50


@dataclass(frozen=True)
class RunPlan:
    """The estimate of a run.

    new:         tickers that have no data yet: their first run leaves more
    past_runs:   the runs whose median is `seconds_per_ticker`; 0 if it is the default
    free_bytes:  free space at ZENITH_HOME
    """

    tickers: int
    new: int
    jobs: int
    seconds_per_ticker: float
    past_runs: int
    seconds: float
    bytes: int
    free_bytes: int


def plan_run(settings: Settings, tickers: Sequence[str], jobs: int) -> RunPlan:
    """Estimate a run of some tickers, `jobs` at a time. Nothing is run."""
    past = past_seconds(settings)
    each = median(past) if past else SECONDS
    store, slots = DatasetStore(settings.data_uri), min(jobs, len(tickers))
    new = sum(not store.exists("cleaned_prices", ticker) for ticker in tickers)
    return RunPlan(
        tickers=len(tickers),
        new=new,
        jobs=slots,
        seconds_per_ticker=round(each, 1),
        past_runs=len(past),
        seconds=round(START_SECONDS + each * -(-len(tickers) // slots), 1),
        bytes=new * FIRST_BYTES + (len(tickers) - new) * AGAIN_BYTES,
        free_bytes=shutil.disk_usage(prepare_home(settings)).free,
    )


def past_seconds(settings: Settings) -> list[float]:
    """Return the duration of the newest successful runs of the whole job, one ticker each."""
    if settings.database_url is None and not (dagster_home(settings) / "history" / "runs.db").exists():
        return []
    import dagster as dg

    filters = dg.RunsFilter(job_name=RETRAIN, statuses=[dg.DagsterRunStatus.SUCCESS])
    with open_instance(settings) as instance:
        records = instance.get_run_records(filters, limit=_PAST_RUNS)
    return [
        record.end_time - record.start_time
        for record in records
        if record.start_time and record.end_time and not record.dagster_run.asset_selection
    ]
