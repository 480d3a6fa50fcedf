"""`zenith ui`: run the Dagster UI and daemon on the state of `zenith run`."""

import asyncio
import os
import tempfile
from pathlib import Path

from zenith_cli.stack.dagster import DagsterServers
from zenith_cli.stack.foreground import run_in_foreground
from zenith_cli.stack.probes import listens
from zenith_core.errors import UserError
from zenith_core.same_site import is_loopback
from zenith_pipelines.dagster_runtime.dead_runs import fail_dead_runs
from zenith_pipelines.dagster_runtime.instance import dagster_home, open_instance
from zenith_pipelines.defs.schedules import make_schedules
from zenith_pipelines.settings import Settings
from zenith_serving.server import bind


def open_ui(host: str, port: int, *, open_to_network: bool = False, verbose: bool = False) -> int:
    """Run code server, webserver and daemon until SIGINT or SIGTERM; return the exit status.

    Raises UserError for a bad port or cron, and for a host beyond loopback without `open_to_network`.
    """
    if not (is_loopback(host) or open_to_network):
        raise UserError(
            f"{host} lets other machines command Dagster, which has no login: listen on 127.0.0.1 and use a tunnel, "
            "or add --open-to-network"
        )
    bind(host, port).close()  # report a busy port before starting anything
    settings = Settings()
    home = dagster_home(settings)
    make_schedules(settings)  # report a bad cron expression here, not as a code location that fails to load
    open_instance(settings).dispose()  # create the tables before webserver and daemon race to
    fail_dead_runs(settings)  # or the UI would show them as running for ever
    quiet = {} if verbose else {"PYTHONWARNINGS": "ignore"}  # of libraries, which each run would repeat
    with tempfile.TemporaryDirectory(prefix="zenith-ui-") as folder:  # short and private, as a socket's path must be
        socket = str(Path(folder, "code.sock"))
        servers = DagsterServers(
            workspace=Path(folder, "workspace.yaml"),
            code_options=("--socket", socket),
            host=host,
            port=port,
            environment={**os.environ, "DAGSTER_HOME": str(home), "ZENITH_HOME": str(settings.home), **quiet},
            log_level="info" if verbose else "warning",
        )
        servers.write_workspace({"socket": socket})
        code = servers.code(lambda: listens(socket), lambda: None)
        stack = [code, servers.webserver(), servers.daemon()]
        addresses = f"\nDagster is up: {servers.url}\nCtrl-C stops it; data stays in {settings.home}\n"
        return asyncio.run(run_in_foreground(stack, addresses, verbose=verbose))
