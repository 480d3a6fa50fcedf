"""Measurements of capacity.py: cost of a run, bytes on disk, needs of the service, speed of the lists."""

import json
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.results import busy_seconds, own_seconds
from harness.servers import Server, zenith
from whole_job import descendants, resident_gb

from zenith_core.model_kinds.table import KINDS
from zenith_serving.settings import Settings

BYTES = {  # kind of bytes: glob under ZENITH_HOME
    "Dagster's runs and events": "dagster",
    "MLflow's database": "mlflow/mlflow.db*",
    "MLflow's artifacts": "mlflow/artifacts",
    "datasets (parquet)": "data",
    "reports (HTML)": "reports",
    "serving's copies of models": "serving-models",
}
API = "/api/v1/ml"


def run(home: Path, names: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run `zenith run`; return seconds, CPU seconds, cores used by others, largest process, seconds by stage."""
    command = [Path(sys.executable).with_name("zenith"), "run", "--source", "simulated", "--json"]
    peak, busy, own, start = 0.0, busy_seconds(), own_seconds(), time.perf_counter()
    job = subprocess.Popen(
        [*command, "--tickers", ",".join(names)],
        env={**os.environ, **(environment or {}), "ZENITH_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    output: list[str] = []
    reader = threading.Thread(target=lambda: output.append(job.stdout.read() if job.stdout else ""))
    reader.start()  # or output longer than the pipe's buffer would block for ever
    while job.poll() is None:
        peak = max(peak, *map(resident_gb, [job.pid, *descendants(job.pid)]))
        time.sleep(0.5)
    seconds, cpu = time.perf_counter() - start, own_seconds() - own
    others = max(0.0, (busy_seconds() - busy - cpu) / seconds)
    reader.join()
    if job.returncode:
        raise SystemExit(f"zenith run failed with status {job.returncode}")
    tickers = list(json.loads(output[0])["tickers"].values())
    stages = {stage: statistics.mean(each["seconds"][stage] for each in tickers) for stage in tickers[0]["seconds"]}
    took = {"seconds": seconds, "cpu_seconds": cpu, "others": others}
    return {**took, "largest_process_mb": 1000 * peak, "stages": stages}


def sizes(home: Path) -> dict[str, dict[str, int]]:
    """Return bytes and files of each kind."""
    by_kind = {}
    for kind, pattern in BYTES.items():
        files = [each for place in home.glob(pattern) for each in [place, *place.rglob("*")] if each.is_file()]
        by_kind[kind] = {"bytes": sum(each.stat().st_size for each in files), "files": len(files)}
    return by_kind


def serving(home: Path) -> dict[str, float]:
    """Measure the service with all tickers: start, memory, idle CPU and time of its lists."""
    settings = Settings(zenith_home=home)
    names = sorted(path.name for path in settings.snapshots.iterdir())
    start = time.perf_counter()
    with zenith(settings) as server:
        figures = {"start_seconds": time.perf_counter() - start, "empty_mb": server.resident_mb}
        for name in names:
            server.post(f"{API}/predict/comprehensive", {"ticker": name})
        figures |= {"full_mb": server.resident_mb, "tickers": len(names)}
        return figures | time_lists(server)


def time_lists(server: Server, times: int = 9) -> dict[str, float]:
    """Return milliseconds of both lists, and the idle CPU share of the service."""
    figures = {}
    for name in ("tickers", "models"):
        address = f"http://127.0.0.1:{server.port}{API}/{name}"
        figures[f"{name}_first_ms"] = median_ms(lambda address=address: read(address), 1)
        figures[f"{name}_ms"] = median_ms(lambda address=address: read(address), times)
    return {**figures, "idle_cpu_share": idle(server.pid)}


def read(address: str) -> bytes:
    """Return the response body; wait up to ten minutes."""
    with urllib.request.urlopen(address, timeout=600) as response:
        content: bytes = response.read()
    return content


def median_ms(ask: Callable[[], object], times: int) -> float:
    """Return the median milliseconds of `times` calls."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        ask()
        took.append(1000 * (time.perf_counter() - start))
    return statistics.median(took)


def idle(pid: int, seconds: float = 10.0) -> float:
    """Return the share of one processor that an idle process uses."""
    before = _ticks(pid)
    time.sleep(seconds)
    return (_ticks(pid) - before) / os.sysconf("SC_CLK_TCK") / seconds


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def lists(home: Path, count: int) -> dict[str, Any]:
    """Measure the service's and Dagster's lists with `count` tickers, copies of one ticker's snapshot and models."""
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:  # on the same file system, for hard links
        names = [f"T{number}" for number in range(count)]
        settings = _copy_tickers(home, Path(folder), names)
        start = time.perf_counter()
        with zenith(settings) as server:
            figures = {"start_seconds": time.perf_counter() - start, "empty_mb": server.resident_mb}
            figures |= time_lists(server, times=3)
            figures["listed_mb"] = server.resident_mb
        return {**figures, **_partitions(Path(folder), names)}


def _copy_tickers(home: Path, folder: Path, names: Sequence[str]) -> Settings:
    settings = Settings(zenith_home=folder, mlflow_tracking_uri=None, models_path=None, zenith_data_uri=None)
    snapshots = Settings(zenith_home=home).snapshots
    original = next(snapshots.iterdir()) / "current.json"
    for name in names:
        place = settings.snapshots / name
        place.mkdir(parents=True)
        (place / "current.json").hardlink_to(original)
    (folder / "mlflow").mkdir()
    shutil.copy(home / "mlflow" / "mlflow.db", folder / "mlflow")
    rows = []
    for kind in KINDS:  # the service keeps a copy of each Production model, and looks for it regularly
        copy = next(Settings(zenith_home=home).last_good.glob(f"{kind}-*/*.onnx"))
        for name in names:
            place = settings.last_good / f"{kind}-{name}"
            place.mkdir(parents=True)
            (place / copy.name).hardlink_to(copy)
            rows.append((int(copy.name.partition("-")[0]), f"{kind}-{name}"))
    with sqlite3.connect(folder / "mlflow" / "mlflow.db") as database:
        into = "registered_model_aliases (version, name, alias, workspace)"
        database.executemany(f"INSERT INTO {into} VALUES (?, ?, 'Production', 'default')", rows)
    database.close()
    return settings


def _partitions(folder: Path, names: Sequence[str]) -> dict[str, float]:
    """Measure Dagster's list of tickers in SQLite."""
    from dagster import DagsterInstance

    with DagsterInstance.local_temp(str(folder)) as instance:
        add_ms = median_ms(lambda: instance.add_dynamic_partitions("tickers", names), 1)
        list_ms = median_ms(lambda: instance.get_dynamic_partitions("tickers"), 3)
    return {"partitions_add_ms": add_ms, "partitions_list_ms": list_ms}


def postgres(names: Sequence[str]) -> dict[str, Any]:
    """Return bytes of Dagster's and MLflow's databases in PostgreSQL after each ticker."""
    import psycopg

    figures: dict[str, Any] = {"bytes": []}
    with tempfile.TemporaryDirectory() as folder, _postgres(Path(folder)) as urls:
        environment = {"DATABASE_URL": urls["dagster"], "MLFLOW_TRACKING_URI": urls["mlflow"]}
        for name in names:
            run(Path(folder) / "home", [name], environment)
            with psycopg.connect(urls["dagster"]) as connection:
                query = "SELECT datname, pg_database_size(datname) FROM pg_database WHERE datname = ANY(%s)"
                figures["bytes"].append(dict(connection.execute(query, [list(urls)]).fetchall()))
    return figures


@contextmanager
def _postgres(folder: Path) -> Iterator[dict[str, str]]:
    """Run only the PostgreSQL server of `zenith up`; yield the addresses of its databases."""
    from zenith_cli.stack import servers

    for place in (folder, folder / "stack"):
        place.mkdir(exist_ok=True)
        place.chmod(0o755)  # started by root, PostgreSQL runs as another user
    with socket.create_server((servers.HOST, 0)) as probe:
        port = int(probe.getsockname()[1])
    service = servers.postgres(folder / "stack", port)
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(service.command, user=service.user, cwd="/", stdout=quiet, stderr=quiet)
    try:
        until = time.monotonic() + 60
        while not service.is_ready():
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit("PostgreSQL does not respond")
            time.sleep(0.1)
        yield {name: servers.postgres_url(folder / "stack", port, name) for name in servers.DATABASES}
    finally:
        process.send_signal(service.stop_signal)
        process.wait()
