"""What capacity.py asks of a ZENITH_HOME: what a run takes, what is on disk, what the service needs, how lists grow."""

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

from zenith_core.names import KINDS
from zenith_serving.settings import Settings

BYTES = {  # a kind of bytes: where under ZENITH_HOME
    "Dagster's runs and events": "dagster",
    "MLflow's database": "mlflow/mlflow.db*",
    "MLflow's artifacts": "mlflow/artifacts",
    "datasets (parquet)": "data",
    "reports (HTML)": "reports",
    "serving's copies of models": "serving-models",
}
API = "/api/v1/ml"


def run(home: Path, names: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """`zenith run`: seconds, those of processors, cores that others kept busy, largest process, seconds by stage."""
    command = [Path(sys.executable).with_name("zenith"), "run", "--source", "simulated", "--json"]
    peak, busy, own, started = 0.0, busy_seconds(), own_seconds(), time.perf_counter()
    job = subprocess.Popen(
        [*command, "--tickers", ",".join(names)],
        env={**os.environ, **(environment or {}), "ZENITH_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    told: list[str] = []
    reader = threading.Thread(target=lambda: told.append(job.stdout.read() if job.stdout else ""))
    reader.start()  # an answer longer than a pipe holds would wait for ever
    while job.poll() is None:
        peak = max(peak, *map(resident_gb, [job.pid, *descendants(job.pid)]))
        time.sleep(0.5)
    seconds, cpu = time.perf_counter() - started, own_seconds() - own
    others = max(0.0, (busy_seconds() - busy - cpu) / seconds)
    reader.join()
    if job.returncode:
        raise SystemExit(f"zenith run ended with status {job.returncode}")
    tickers = list(json.loads(told[0])["tickers"].values())
    stages = {stage: statistics.mean(each["seconds"][stage] for each in tickers) for stage in tickers[0]["seconds"]}
    took = {"seconds": seconds, "cpu_seconds": cpu, "others": others}
    return {**took, "largest_process_mb": 1000 * peak, "stages": stages}


def sizes(home: Path) -> dict[str, dict[str, int]]:
    """Bytes and files of each kind."""
    found = {}
    for kind, pattern in BYTES.items():
        files = [each for place in home.glob(pattern) for each in [place, *place.rglob("*")] if each.is_file()]
        found[kind] = {"bytes": sum(each.stat().st_size for each in files), "files": len(files)}
    return found


def serving(home: Path) -> dict[str, float]:
    """The service with all tickers: start, memory, what it does while nobody asks, and how long its lists take."""
    settings = Settings(zenith_home=home)
    names = sorted(path.name for path in settings.snapshots.iterdir())
    started = time.perf_counter()
    with zenith(settings) as server:
        measured = {"start_seconds": time.perf_counter() - started, "empty_mb": server.resident_mb}
        for name in names:
            server.post(f"{API}/predict/comprehensive", {"ticker": name})
        measured |= {"full_mb": server.resident_mb, "tickers": len(names)}
        return measured | asked_for_lists(server)


def asked_for_lists(server: Server, times: int = 9) -> dict[str, float]:
    """Milliseconds of both lists, and the share of a processor that the service takes by itself."""
    found = {}
    for what in ("tickers", "models"):
        address = f"http://127.0.0.1:{server.port}{API}/{what}"
        found[f"{what}_first_ms"] = median_ms(lambda address=address: read(address), 1)
        found[f"{what}_ms"] = median_ms(lambda address=address: read(address), times)
    return {**found, "idle_cpu_share": idle(server.pid)}


def read(address: str) -> bytes:
    """The answer, however long it takes."""
    with urllib.request.urlopen(address, timeout=600) as answer:
        content: bytes = answer.read()
    return content


def median_ms(ask: Callable[[], object], times: int) -> float:
    """The median of so many."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        ask()
        took.append(1000 * (time.perf_counter() - started))
    return statistics.median(took)


def idle(pid: int, seconds: float = 10.0) -> float:
    """The share of one processor that a process takes by itself."""
    before = _ticks(pid)
    time.sleep(seconds)
    return (_ticks(pid) - before) / os.sysconf("SC_CLK_TCK") / seconds


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def lists(home: Path, count: int) -> dict[str, Any]:
    """The service's and Dagster's lists with so many tickers: names, each with one ticker's snapshot and models."""
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:  # beside it, for hard links
        names = [f"T{number}" for number in range(count)]
        settings = _many(home, Path(folder), names)
        started = time.perf_counter()
        with zenith(settings) as server:
            measured = {"start_seconds": time.perf_counter() - started, "empty_mb": server.resident_mb}
            measured |= asked_for_lists(server, times=3)
            measured["listed_mb"] = server.resident_mb
        return {**measured, **_partitions(Path(folder), names)}


def _many(home: Path, folder: Path, names: Sequence[str]) -> Settings:
    settings = Settings(zenith_home=folder, mlflow_tracking_uri=None, models_path=None, zenith_data_uri=None)
    trained = Settings(zenith_home=home).snapshots
    original = next(trained.iterdir()) / "current.json"
    for name in names:
        place = settings.snapshots / name
        place.mkdir(parents=True)
        (place / "current.json").hardlink_to(original)
    (folder / "mlflow").mkdir()
    shutil.copy(home / "mlflow" / "mlflow.db", folder / "mlflow")
    rows = []
    for kind in KINDS:  # the service keeps a copy of each model in Production, and looks for it at each turn
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
    """Dagster's own list of tickers, in SQLite."""
    from dagster import DagsterInstance

    with DagsterInstance.local_temp(str(folder)) as instance:
        added = median_ms(lambda: instance.add_dynamic_partitions("tickers", names), 1)
        read = median_ms(lambda: instance.get_dynamic_partitions("tickers"), 3)
    return {"partitions_add_ms": added, "partitions_list_ms": read}


def postgres(names: Sequence[str]) -> dict[str, Any]:
    """Bytes of Dagster's and MLflow's databases on PostgreSQL after one ticker, and after one more."""
    import psycopg

    found: dict[str, Any] = {"bytes": []}
    with tempfile.TemporaryDirectory() as folder, _postgres(Path(folder)) as urls:
        environment = {"DATABASE_URL": urls["dagster"], "MLFLOW_TRACKING_URI": urls["mlflow"]}
        for name in names:
            run(Path(folder) / "home", [name], environment)
            with psycopg.connect(urls["dagster"]) as connection:
                asked = "SELECT datname, pg_database_size(datname) FROM pg_database WHERE datname = ANY(%s)"
                found["bytes"].append(dict(connection.execute(asked, [list(urls)]).fetchall()))
    return found


@contextmanager
def _postgres(folder: Path) -> Iterator[dict[str, str]]:
    """The server of `zenith up`, by itself: addresses of its databases."""
    from zenith_cli.stack import servers

    for place in (folder, folder / "stack"):
        place.mkdir(exist_ok=True)
        place.chmod(0o755)  # as root, PostgreSQL runs as somebody else
    with socket.create_server((servers.HOST, 0)) as probe:
        port = int(probe.getsockname()[1])
    service = servers.postgres(folder / "stack", port)
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(service.command, user=service.user, cwd="/", stdout=quiet, stderr=quiet)
    try:
        until = time.monotonic() + 60
        while not service.is_ready():
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit("PostgreSQL does not answer")
            time.sleep(0.1)
        yield {name: servers.postgres_url(folder / "stack", port, name) for name in servers.DATABASES}
    finally:
        process.send_signal(service.stop_signal)
        process.wait()
