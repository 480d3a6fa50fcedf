"""A home with thousands of tickers, without prices and training: rows and files of the forms that a run writes.

The registry is filled by SQL. Its versions name no files, and the service's copies of the models are empty: both serve
to measure lists and watchers, not forecasts.
"""

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from zenith_core.model_kinds.table import KINDS
from zenith_core.sealed_json import seal
from zenith_core.snapshot import ServingSnapshot
from zenith_serving.settings import Settings

VERSIONS = 5  # of each model, as clean-up keeps them
_PROVENANCE = {
    **{"task": "price", "data_version": "v" * 16, "raw_content_hash": "r" * 16, "feature_spec": "s" * 16},
    **{"code_version": "0.2.0+123456789abc", "horizon": "5", "window": "60", "sha256": "0" * 64},
    **{"libraries": "numpy 2.1, " * 20, "leakage": "passed: simulated " * 5, "dagster_run_id": "d" * 36},
}
_TAGS = {
    **{"ticker": "AAPL", "kind": "lstm", "data_end": "2026-01-02", "trials": "3", "decision": "refused"},
    **{"gates": "not passed: loss", "reason": "simulated", "decided_at": "2026-01-02T10:20:30.123456Z"},
    **{"decided_by": "schedule weekly_retraining", "provenance": json.dumps(_PROVENANCE)},
}
_METRICS = ("mae", "mae_random_walk", "skill", "p_value", "beats_naive", "coverage", "other_1", "other_2")
_CANDLES = 500  # as a snapshot has them


def fill_home(home: Path, tickers: Sequence[str]) -> Settings:
    """Fill a new home with tickers that have a snapshot, prices and models in Production; return its settings."""
    settings = Settings(zenith_home=home, mlflow_tracking_uri=None, models_path=None, zenith_data_uri=None)
    create_registry(home / "mlflow")
    fill_registry(home / "mlflow" / "mlflow.db", tickers)
    today = date.today()
    publish(home / "data" / "serving_snapshot", tickers, _snapshot(today))
    publish(home / "data" / "raw_prices", tickers, {"source": "yahoo"})
    publish(home / "data" / "cleaned_prices", tickers, {"last": today.isoformat()})
    for name in (f"{kind}-{ticker}" for ticker in tickers for kind in KINDS):
        copy = settings.last_good / name / f"{VERSIONS - 1}-{hashlib.sha256(b'').hexdigest()}.onnx"
        copy.parent.mkdir(parents=True)
        copy.touch()
    return settings


def create_registry(folder: Path) -> None:
    """Create MLflow's tables in `folder`/mlflow.db."""
    from mlflow import MlflowClient

    folder.mkdir(parents=True)
    MlflowClient(f"sqlite:///{folder}/mlflow.db").search_registered_models()


def fill_registry(database: Path, tickers: Sequence[str]) -> None:
    """Add VERSIONS versions of each kind of model of each ticker: the last is the Candidate, the one before served."""
    names = [f"{kind}-{ticker}" for ticker in tickers for kind in KINDS]
    versions = [(name, number) for name in names for number in range(1, VERSIONS + 1)]
    runs = {version: f"{number:032x}" for number, version in enumerate(versions)}
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT OR IGNORE INTO experiments (experiment_id, name) VALUES (1, 'zenith')")
        connection.executemany(
            "INSERT INTO registered_models (name, creation_time) VALUES (?, 0)", [(name,) for name in names]
        )
        connection.executemany(
            "INSERT INTO runs (run_uuid, name, experiment_id, lifecycle_stage) VALUES (?, ?, 1, 'active')",
            [(run, name) for (name, _), run in runs.items()],
        )
        connection.executemany(
            "INSERT INTO model_versions (name, version, creation_time, current_stage, run_id)"
            " VALUES (?, ?, 0, 'None', ?)",
            [(*version, run) for version, run in runs.items()],
        )
        connection.executemany(
            "INSERT INTO model_version_tags (name, version, key, value) VALUES (?, ?, ?, ?)",
            [(*version, *tag) for version in versions for tag in _TAGS.items()],
        )
        connection.executemany(
            "INSERT INTO latest_metrics (run_uuid, key, value, step, is_nan) VALUES (?, ?, 0.5, 0, 0)",
            [(run, metric) for run in runs.values() for metric in _METRICS],
        )
        aliases = (("Candidate", VERSIONS), ("Production", VERSIONS - 1))
        connection.executemany(
            "INSERT INTO registered_model_aliases (name, alias, version) VALUES (?, ?, ?)",
            [(name, *alias) for name in names for alias in aliases],
        )


def publish(root: Path, tickers: Sequence[str], facts: Mapping[str, object]) -> None:
    """Write the facts of a dataset as current for each ticker: links to one file."""
    root.mkdir(parents=True)
    file = root / "one.json"
    file.write_bytes(seal({"stamp": "20260101T000000.000000Z", "facts": facts, "tables": {}}))
    for ticker in tickers:
        (root / ticker).mkdir()
        (root / ticker / "current.json").hardlink_to(file)
    file.unlink()


def fill_dagster(folder: Path, tickers: Sequence[str], assets: Sequence[str]) -> None:
    """Add to an instance's SQLite events the materialization of each asset for each ticker; copies of one event."""
    import dagster as dg

    folder.mkdir(parents=True)
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        instance.add_dynamic_partitions("tickers", tickers)
        for asset in assets:
            instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=tickers[0]))
    with closing(sqlite3.connect(folder / "history" / "runs" / "index.db")) as connection, connection:
        columns = "run_id, event, dagster_event_type, timestamp, step_key, asset_key"
        for event in connection.execute(
            f"SELECT {columns} FROM event_logs WHERE partition = ?", [tickers[0]]
        ).fetchall():
            connection.executemany(
                f"INSERT INTO event_logs ({columns}, partition) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(*event, ticker) for ticker in tickers[1:]],
            )


def _snapshot(today: date) -> dict[str, object]:
    random = np.random.default_rng(1)
    days = [today - timedelta(days=age) for age in range(_CANDLES)][::-1]
    prices = (100 + random.standard_normal(_CANDLES).cumsum()).round(4).tolist()
    snapshot = ServingSnapshot(
        *("AAPL", "v" * 64, "s" * 64, today, prices[-1], "USD", 0.01),
        window=random.standard_normal((60, 20)).astype(np.float32),
        next_sessions=tuple(today + timedelta(days=ahead) for ahead in range(1, 31)),
        recent=tuple(zip(days, prices, strict=True))[-250:],
    )
    candles = {"date": [day.isoformat() for day in days]} | dict.fromkeys(("open", "high", "low", "close"), prices)
    return {**snapshot.to_json(), "candles": candles}
