"""`zenith ui`: start the Dagster UI and daemon on the state of `zenith run`."""

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
    """Replace this process with `dagster dev` on the embedded instance. Raises UserError for a bad port or cron."""
    bind(host, port).close()  # report a busy port before starting anything
    settings = Settings()
    home = dagster_home(settings)
    make_schedules(settings)  # report a bad cron expression here, not as a code location that fails to load
    open_instance(settings).dispose()  # create the tables before webserver and daemon race to
    fail_dead_runs(settings)  # or the UI would show them as running for ever
    environment = {**os.environ, "DAGSTER_HOME": str(home), "ZENITH_HOME": str(settings.home)}
    dagster = Path(sys.executable).with_name("dagster")
    command = [str(dagster), "dev", "--workspace", str(WORKSPACE), "--host", host, "--port", str(port)]
    # A shell starts background jobs with SIGINT ignored. Dagster would then ignore SIGTERM as well.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execve(command[0], command, environment)
