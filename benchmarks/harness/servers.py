"""The servers that serving.py measures, each a process of its own on a free loopback port."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zenith_core.model_kinds.table import KINDS
from zenith_core.names import model_name
from zenith_core.sealed_json import seal, unseal
from zenith_serving.prediction.last_known_good import LastKnownGood
from zenith_serving.settings import Settings

_BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Server:
    """A process that answers on a port."""

    port: int
    pid: int

    def get(self, path: str) -> Any:
        """Return the JSON at a path."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """Return the JSON response to a body."""
        kind = {"content-type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), kind)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    @property
    def resident_mb(self) -> float:
        """Resident memory of the process, in MB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def zenith(settings: Settings) -> Iterator[Server]:
    """Run `zenith serve`, and yield it as soon as /health reports ready."""
    places = {"ZENITH_HOME": str(settings.home), "MODELS_PATH": str(settings.last_good)}
    with _started([_BIN / "zenith", "serve", "--port"], "/health", places) as server:
        while not server.get("/health")["ready"]:
            time.sleep(0.005)
        yield server


@contextmanager
def constant() -> Iterator[Server]:
    """Run a FastAPI endpoint that returns a constant, on the service's uvicorn options."""
    with _started([sys.executable, __file__], "/constant") as server:
        yield server


@contextmanager
def mlflow_scoring(settings: Settings, ticker: str) -> Iterator[Server]:
    """Run MLflow's own scoring server on the ticker's price model in Production."""
    model = f"models:/{model_name('lstm', ticker)}@Production"
    command = [_BIN / "mlflow", "models", "serve", "-m", model, "--env-manager", "local", "-p"]
    with _started(command, "/ping", {"MLFLOW_TRACKING_URI": settings.tracking_uri}) as server:
        yield server


def many_tickers(settings: Settings, folder: Path, count: int) -> Settings:
    """Return the settings of a service with the tickers T0, T1, …: copies of trained models and snapshots in turn.

    The models are written as last-known-good copies; there is no registry.
    """
    from zenith_pipelines.models.onnx_artifact import metadata, with_metadata

    originals = sorted(path.name for path in settings.snapshots.iterdir())
    copies = Settings(zenith_home=folder, models_path=folder / "models", zenith_data_uri=None, mlflow_tracking_uri=None)
    for number in range(count):
        ticker, original = f"T{number}", originals[number % len(originals)]
        document = unseal((settings.snapshots / original / "current.json").read_bytes())
        document["facts"]["ticker"] = ticker
        (copies.snapshots / ticker).mkdir(parents=True)
        (copies.snapshots / ticker / "current.json").write_bytes(seal(document))
        for kind in KINDS:
            copy = LastKnownGood(settings.last_good).load(model_name(kind, original))
            if copy is None:
                raise SystemExit(f"no copy of {model_name(kind, original)} in {settings.last_good}")
            onnx = with_metadata(copy[1], {**metadata(copy[1]), "ticker": ticker})
            LastKnownGood(copies.last_good).save(model_name(kind, ticker), 1, onnx)
    return copies


@contextmanager
def _started(command: list[str | Path], path: str, places: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Start a process with its port as the last argument; yield it once it answers at `path`."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    path_of_programs = f"{_BIN}{os.pathsep}{os.environ['PATH']}"  # MLflow looks for uvicorn there
    environment = {**os.environ, "PATH": path_of_programs, **(places or {})}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        [*command, str(port)], env=environment, stdout=quiet, stderr=quiet, start_new_session=True
    )
    try:
        until = time.monotonic() + 300  # MLflow takes a minute on a busy machine
        while not _is_there(port, path):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"{' '.join(map(str, command))} {port}: does not answer")
            time.sleep(0.005)
        yield Server(port, process.pid)
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # MLflow's server is a child of its command
        process.wait()


def _is_there(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5):
            return True
    except OSError:
        return False


def _serve_constant(port: int) -> None:
    import uvicorn
    from fastapi import FastAPI

    from zenith_serving.server import options

    app = FastAPI()

    @app.get("/constant")
    async def constant() -> dict[str, str]:
        return {"status": "ok"}

    uvicorn.run(app, host="127.0.0.1", port=port, **options())


if __name__ == "__main__":
    _serve_constant(int(sys.argv[1]))
