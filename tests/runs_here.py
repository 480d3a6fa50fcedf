"""Runs of tickers in this process, for tests that are not about worker processes: each takes seconds to start."""

import warnings
from dataclasses import replace

from tests.empty_databases import put_dagster_databases, put_mlflow_database
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.execution.job_run import run_job
from zenith_pipelines.execution.ticker_run import run_ticker
from zenith_pipelines.ingestion.sources.sample import SampleSource
from zenith_pipelines.models import ensemble_walk_forward
from zenith_pipelines.models.ensemble import fit_ensemble
from zenith_pipelines.models.training import MIN_SESSIONS
from zenith_pipelines.settings import Settings


def run_tickers_here(patch):
    """Let `zenith run` and `zenith job` run their tickers one after the other in this process."""
    for command in ("run", "job"):
        patch.setattr(f"zenith_cli.{command}.run_batch", _run_here)
    patch.setattr("zenith_cli.run.run_job", _job_here)


def train_little(patch):
    """Train ensembles of few trees in this process, for tests that do not look at their skill."""

    def few_trees(config, values, labels):
        return fit_ensemble(config.model_copy(update={"trees": 10, "boosting_rounds": 10}), values, labels)

    patch.setattr(ensemble_walk_forward, "fit_ensemble", few_trees)


def fetch_short_history(patch):
    """Let the sample have hardly as many sessions as training takes: features are certified in a third of the time."""

    def fetch(self, ticker, since=None):
        raw = whole(self, ticker, since)
        return replace(raw, prices=raw.prices.iloc[-MIN_SESSIONS:])

    whole = SampleSource.fetch
    patch.setattr(SampleSource, "fetch", fetch)


def _job_here(name, config):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as they are in a command
        return run_job(name, config)


def _run_here(runs, jobs, on_update):
    home = Settings().home
    put_mlflow_database(home / "mlflow")
    if not (home / "dagster" / "history").exists():
        put_dagster_databases(home)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as they are in a worker
        return {run.ticker: run_ticker(run, Progress()) for run in runs}
