"""MLflow's own server over a database, as tests start it."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx

from tests.waiting import PATIENCE


@contextmanager
def mlflow_server(store, folder):
    """The address of a server on the store `store`; it keeps artifacts and its log under `folder`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    stores = ["--backend-store-uri", store, "--artifacts-destination", f"{folder}/kept"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *stores],
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},  # as in deployments
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
        )
        try:
            _wait_until_up(f"http://127.0.0.1:{port}/health", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # its workers too; its data are thrown away
            process.wait(timeout=PATIENCE)


def _wait_until_up(url, process):
    for _ in range(10 * PATIENCE):
        try:
            return httpx.get(url, timeout=PATIENCE).raise_for_status()
        except httpx.HTTPError:
            assert process.poll() is None
            time.sleep(0.1)
    raise TimeoutError(url)
