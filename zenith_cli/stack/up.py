"""`zenith up`: start the stack, print its addresses, and stop it again."""

import asyncio

from filelock import FileLock, Timeout

from zenith_cli.stack.foreground import run_in_foreground
from zenith_cli.stack.layout import Layout, prepare, services
from zenith_core.errors import UserError
from zenith_pipelines.defs.schedules import make_schedules
from zenith_pipelines.settings import Settings, prepare_home


def bring_up(port_base: int) -> int:
    """Run the stack until SIGINT or SIGTERM; return the exit status. Raises UserError, StackError."""
    settings = Settings()
    home = prepare_home(settings)
    make_schedules(settings)  # report a bad cron expression here, not as a code location that fails to load
    layout = Layout(home, port_base)
    layout.folder.mkdir(exist_ok=True, mode=0o711)
    lock = FileLock(layout.folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UserError(f"a stack is already running on {home}: stop it, or set another ZENITH_HOME") from None
    with lock:
        layout.require_free_ports()
        prepare(layout)
        return asyncio.run(run_in_foreground(services(layout), _addresses(layout)))


def _addresses(layout: Layout) -> str:
    return f"""
Zenith is up:
  predictions  {layout.url("api")}        documentation: {layout.url("api")}/docs
  Dagster      {layout.url("dagster")}
  MLflow       {layout.url("mlflow")}
In another terminal: . {layout.folder / "stack.env"}; zenith tickers add AAPL; zenith job retrain_model
Ctrl-C stops everything; data stays in {layout.home}
"""
