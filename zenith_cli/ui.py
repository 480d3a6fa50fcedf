"""`zenith ui`: the Dagster UI and its daemon, on the same state as `zenith run`."""

import os
import signal
import sys
from pathlib import Path

from zenith_pipelines.dagster_runtime.dead_runs import fail_dead_runs
from zenith_pipelines.dagster_runtime.instance import WORKSPACE, dagster_home, open_instance
from zenith_pipelines.defs.schedules import make_schedules
from zenith_pipelines.settings import Settings
from zenith_serving.server import bind


def open_ui(host: str, port: int) -> None:
    """Become `dagster dev` on the embedded instance. Raises UserError for a busy port, or a setting that cannot be."""
    bind(host, port).close()  # a busy port is named before anything starts
    settings = Settings()
    home = dagster_home(settings)
    make_schedules(settings)  # or a wrong cron expression would be a code location that does not load
    open_instance(settings).dispose()  # its tables are made before webserver and daemon meet on them
    fail_dead_runs(settings)  # or the UI would show them as started for ever
    environment = {**os.environ, "DAGSTER_HOME": str(home), "ZENITH_HOME": str(settings.home)}
    dagster = Path(sys.executable).with_name("dagster")
    command = [str(dagster), "dev", "--workspace", str(WORKSPACE), "--host", host, "--port", str(port)]
    # A shell starts background jobs with SIGINT ignored; Dagster, finding that, would ignore SIGTERM as well.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execve(command[0], command, environment)
