"""`zenith ui`: the Dagster UI and its daemon, on the same state as `zenith run`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from zenith_pipelines.instance import WORKSPACE, dagster_home, open_instance
from zenith_pipelines.settings import Settings
from zenith_serving.serve import bind


def ui(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 3000,
) -> None:
    """Open the Dagster UI: watch assets, add tickers, materialize them."""
    bind(host, port).close()  # a busy port is named before anything starts
    settings = Settings()
    home = dagster_home(settings)
    open_instance(settings).dispose()  # its tables are made before webserver and daemon meet on them
    environment = {**os.environ, "DAGSTER_HOME": str(home), "ZENITH_HOME": str(settings.home)}
    dagster = Path(sys.executable).with_name("dagster")
    command = [str(dagster), "dev", "--workspace", str(WORKSPACE), "--host", host, "--port", str(port)]
    os.execve(command[0], command, environment)
