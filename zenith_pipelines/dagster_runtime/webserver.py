"""`python -m zenith_pipelines.dagster_runtime.webserver`: Dagster's webserver behind the guard of `web_guard`.

It takes the options of `dagster-webserver` that Zenith uses. The instance is that of DAGSTER_HOME.
"""

import argparse
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import RedirectResponse

from zenith_core.errors import ZenithError
from zenith_pipelines.dagster_runtime.web_guard import WebGuard
from zenith_pipelines.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_STATEMENT_MILLISECONDS = 15_000  # these four as dagster-webserver's own
_POLL_MILLISECONDS = 2000
_POOL_RECYCLE_SECONDS = 3600
_POOL_OVERFLOW = 20
_GRACE_SECONDS = 5  # for requests at shutdown; a page keeps its websocket open for as long as it is shown

GROUPS = ("prices", "features", "models", "backtests", "production")
"""The groups of assets, as they are opened in the graph."""

_GRAPH = "/asset-groups"


class OpenGroups:
    """Opens the UI at the graph of all assets, with every group open; Dagster shows them as closed boxes."""

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Redirect the address of the UI, and of its graph without a choice of groups; pass on everything else."""
        is_page = scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]
        if is_page and scope["path"].rstrip("/") in ("", _GRAPH):
            groups = ",".join(f"global@global:{group}" for group in GROUPS)
            await RedirectResponse(f"{_GRAPH}?expanded={quote(groups)}")(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def run(workspace: str, host: str, port: int, log_level: str, settings: Settings) -> None:
    """Serve Dagster's UI until SIGINT or SIGTERM. Pages may be opened as `host` and the names of the settings."""
    import dagster as dg
    import uvicorn
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_webserver.app import create_app_from_workspace_process_context
    from dagster_webserver.version import __version__

    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(_STATEMENT_MILLISECONDS, _POOL_RECYCLE_SECONDS, _POOL_OVERFLOW)
        target = WorkspaceFileTarget(paths=[workspace])
        with WorkspaceProcessContext(instance, target, version=__version__) as context:
            app: ASGIApp = create_app_from_workspace_process_context(context, live_data_poll_rate=_POLL_MILLISECONDS)
            uvicorn.run(
                WebGuard(OpenGroups(app), {host, *settings.dagster_hosts}),
                host=host,
                port=port,
                log_level=log_level,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )


def main() -> None:
    """Parse the options and serve."""
    parser = argparse.ArgumentParser(prog="zenith_pipelines.dagster_runtime.webserver", description=__doc__)
    parser.add_argument("-w", "--workspace", required=True)
    parser.add_argument("-H", "--host", default="127.0.0.1")
    parser.add_argument("-p", "--port", type=int, default=3000)
    parser.add_argument("--log-level", default="warning")
    options = parser.parse_args()
    try:
        run(options.workspace, options.host, options.port, options.log_level, Settings())
    except ZenithError as error:
        sys.exit(f"zenith: {error}")


if __name__ == "__main__":
    main()
