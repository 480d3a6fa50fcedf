"""Bytes that a ticker leaves in a year of weekly retrainings and daily refreshes, by part, after clean-up.

A simulated ticker is retrained and refreshed in batches, as the schedules do, for a quarter: a retraining and five
refreshes a week. Each week the clean-up deletes all that it will ever delete: growth is what it leaves. A year is 52
times the mean growth of a week in the second half. By then each night scores as many forecasts as in any later one,
which takes 30 sessions, and pages of databases have been filled and split. Parts that clean-up keeps in a number
(versions of a model, runs of the latest of an asset, newest datasets) are a stock: they reach a size and stay there.

Epochs, sessions and the size of models change no growth, so by default there is one epoch of small models, and hardly
as many sessions as training takes; --sessions 2900 shows the stock of whole models and a long history. Free pages of
SQLite do not count: the next rows fill them. With --postgresql both databases are on a server of its own, and measured
there after VACUUM FULL.
"""

import argparse
import os
import sqlite3
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from harness.figures import Figure, add_json, report

FIGURES = ("year_mb",)
TICKER = "SIM-NOISE-1"
SHORT = 20  # sessions beyond those that training takes, at the first one
WEEKS = 52
SMALL = {  # models that leave as many rows, and are trained in less time
    "lstm": {"layers": 1, "units": 8, "dense": 4, "batch": 256},
    "ensemble": {"trees": 10, "boosting_rounds": 10},
}
PARTS = {  # part: globs under ZENITH_HOME; a file belongs to the first that matches
    "prices": ("data/raw_prices/**/*",),
    "ledger": ("data/forecast_ledger/**/*",),
    "other datasets": ("data/**/*",),
    "MLflow's artifacts": ("mlflow/artifacts/**/*",),
    "MLflow's database": ("mlflow/*",),
    "Dagster's index of events": ("dagster/history/runs/index.db*", "dagster/history/runs.db*"),
    "Dagster's events of runs": ("dagster/history/runs/*",),
    "rest of Dagster": ("dagster/**/*",),
    "reports": ("reports/**/*",),
    "rest": ("**/*",),
}

GROWING = ("prices", "ledger", "MLflow's database", "Dagster's index of events")

SERVERS = {"DATABASE_URL": "Dagster's index of events", "MLFLOW_TRACKING_URI": "MLflow's database"}

Sizes = dict[str, int]


def main() -> None:
    """Simulate the weeks, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weeks", type=int, default=13, help="the first half does not count")
    parser.add_argument("--nights", type=int, default=5, help="refreshes of each week")
    parser.add_argument("--sessions", type=int, help="at the first training; as few as possible by default")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--home", type=Path, help="a new folder for the home, to look at afterwards")
    parser.add_argument("--postgresql", action="store_true", help="keep Dagster's and MLflow's rows in PostgreSQL")
    add_json(parser)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        home = arguments.home or Path(folder) / "home"
        prices = Path(folder) / "prices"
        prices.mkdir()
        os.environ |= {"ZENITH_HOME": str(home), "ZENITH_CSV_DIR": str(prices), "ZENITH_PRICE_SOURCE": "csv"}
        with _databases(arguments.postgresql):
            weeks = _weeks(home, prices / f"{TICKER}.csv", arguments)
    by_part = growth(weeks)
    print_table(weeks, by_part, arguments.nights)
    report("storage", [Figure("year_mb", sum(by_part.values()) / 1e6)], arguments.json, {"weeks": weeks})


def growth(weeks: list[dict[str, Sizes]]) -> dict[str, float]:
    """Return the bytes of a year by part: 52 times the mean of what the weeks of the second half left."""
    half = (len(weeks) - 1) // 2
    first, last, count = weeks[half]["refreshed"], weeks[-1]["refreshed"], len(weeks) - 1 - half
    return {part: WEEKS * (last[part] - first[part]) / count for part in GROWING}


def print_table(weeks: list[dict[str, Sizes]], by_part: Mapping[str, float], nights: int) -> None:
    """Print kB by part: growth in a year, and what the first and the last retraining and a refresh left at once.

    What is there after the first training includes the empty databases.
    """
    first, last = weeks[0]["before_retrained"], weeks[-1]
    titles = f"{'a year':>10}{'there now':>12}{'first':>10}{'a retraining':>14}{'a refresh':>12}"
    print(f"{'kB':<28}{titles}  (the last three before clean-up)")
    for part in PARTS:
        retraining = last["before_retrained"][part] - weeks[-2]["refreshed"][part]
        refresh = (last["before_refreshed"][part] - last["retrained"][part]) / nights
        grown = f"{by_part[part] / 1e3:.0f}" if part in by_part else "stock"
        now = last["refreshed"][part]
        print(
            f"{part:<28}{grown:>10}{now / 1e3:>12.0f}{first[part] / 1e3:>10.0f}"
            f"{retraining / 1e3:>14.0f}{refresh / 1e3:>12.0f}"
        )
    print(f"{'all':<28}{sum(by_part.values()) / 1e3:>10.0f}{sum(last['refreshed'].values()) / 1e3:>12.0f}")


def sizes(home: Path) -> Sizes:
    """Return the bytes of each part in use."""
    found, sizes = set[Path](), dict.fromkeys(PARTS, 0)
    for part, patterns in PARTS.items():
        files = {file for pattern in patterns for file in home.glob(pattern) if file.is_file()} - found
        sizes[part] = sum(map(_used, files))
        found |= files
    for variable, part in SERVERS.items():
        if address := os.environ.get(variable):
            sizes[part] += _used_on_server(address)
    return sizes


def _used(file: Path) -> int:
    """Return the bytes of a file, of an SQLite database without its free pages."""
    size = file.stat().st_size
    if file.suffix != ".db" or not size:
        return size
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
        pages, free, page = (
            database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * page)


@contextmanager
def _databases(postgresql: bool) -> Iterator[None]:
    """Run a PostgreSQL server with a database for each of SERVERS, if wanted."""
    if not postgresql:
        yield
        return
    sys.path.append(str(Path(__file__).parents[1]))
    from tests.integration.postgres_server import PostgresServer

    server = PostgresServer()
    try:
        os.environ |= {variable: server.create_database(variable.lower()) for variable in SERVERS}
        yield
    finally:
        server.remove()


def _used_on_server(address: str) -> int:
    """Return the bytes of a database's tables with their indices, without the free pages that VACUUM FULL gives back.

    The server's own catalogs do not count: they shrink and swell by more than a week's rows.
    """
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("VACUUM FULL")
        query = "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables"
        return int(connection.execute(query).fetchone()[0] or 0)


def _weeks(home: Path, file: Path, arguments: Any) -> list[dict[str, Sizes]]:
    """Return the sizes after each retraining and after the nights of each week, before and after clean-up."""
    from zenith_pipelines.dagster_runtime.instance import open_instance
    from zenith_pipelines.definitions import defs
    from zenith_pipelines.ingestion.sources.simulated import SimulatedSource
    from zenith_pipelines.models.training import MIN_SESSIONS
    from zenith_pipelines.settings import Settings
    from zenith_pipelines.tickers import add_tickers

    series, sessions, weeks = SimulatedSource().fetch(TICKER).prices, arguments.sessions or MIN_SESSIONS + SHORT, []
    models = {} if arguments.sessions else SMALL
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with open_instance(Settings()) as instance:
        add_tickers(instance, [TICKER])

        def run(job: str, op: str, **options: Any) -> None:
            nonlocal sessions
            series[:sessions].to_csv(file, index_label="date")
            sessions += 1
            config = {"ops": {op: {"config": {"tickers": [TICKER], **options}}}, **quiet}
            result = defs.resolve_job_def(job).execute_in_process(instance=instance, run_config=config)
            event = next(event for event in result.all_events if event.event_type_value == "STEP_OUTPUT")
            outcomes = event.step_output_data.metadata["outcomes"].value
            if outcomes != {TICKER: "ok"}:
                raise SystemExit(str(outcomes))

        for number in range(arguments.weeks):
            week = {}
            run("retrain_batch", "retrain_each", epochs=arguments.epochs, models=models)
            week["before_retrained"] = sizes(home)
            clean(instance)
            week["retrained"] = sizes(home)
            for _ in range(arguments.nights):
                run("refresh_batch", "refresh_each")
            week["before_refreshed"] = sizes(home)
            clean(instance)
            week["refreshed"] = sizes(home)
            weeks.append(week)
            print(f"week {number + 1}: {sum(week['refreshed'].values()) / 1e6:.2f} MB after clean-up", flush=True)
    return weeks


def clean(instance: Any) -> None:
    """Delete what clean-up deletes in the end: runs of any age, and all but the newest version without an alias."""
    from datetime import UTC, datetime

    from zenith_pipelines.dagster_runtime.run_retention import purge_runs
    from zenith_pipelines.datasets.store import DatasetStore
    from zenith_pipelines.ingestion.fetch import fold_prices
    from zenith_pipelines.registry.model_registry import ModelRegistry
    from zenith_pipelines.registry.retention import RetentionRules, clean_up
    from zenith_pipelines.settings import Settings

    settings = Settings()
    purge_runs(instance, datetime.now(UTC))
    clean_up(ModelRegistry(settings.tracking_uri, settings.artifact_root), RetentionRules(keep_latest_n=1))
    fold_prices(DatasetStore(settings.data_uri))


if __name__ == "__main__":
    main()
