"""`zenith up`: start the stack, print its addresses, and stop it again."""

import asyncio
import signal
import sys

from filelock import FileLock, Timeout
from rich.console import Console
from rich.text import Text

from zenith_cli.stack.layout import Layout, prepare, services
from zenith_cli.stack.supervisor import Supervisor
from zenith_core.errors import UserError
from zenith_pipelines.defs.schedules import make_schedules
from zenith_pipelines.settings import Settings, prepare_home

_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "bright_cyan", "bright_magenta")


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
        return asyncio.run(_run(layout))


async def _run(layout: Layout) -> int:
    stack = services(layout)
    supervisor = Supervisor(stack, _LogPrinter([service.name for service in stack]))
    signals: list[int] = []

    def on_signal(number: int) -> None:
        signals.append(number)
        supervisor.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    print(f"starting {', '.join(service.name for service in stack)}", file=sys.stderr)
    await supervisor.run(lambda: print(_addresses(layout), flush=True))
    print("all stopped", file=sys.stderr)
    return 128 + signals[0] if signals else 0


def _addresses(layout: Layout) -> str:
    return f"""
Zenith is up:
  predictions  {layout.url("api")}        documentation: {layout.url("api")}/docs
  Dagster      {layout.url("dagster")}
  MLflow       {layout.url("mlflow")}
In another terminal: . {layout.folder / "stack.env"}; zenith tickers add AAPL; zenith job retrain_model
Ctrl-C stops everything; data stays in {layout.home}
"""


class _LogPrinter:
    """Print each line with the name of its service, on a terminal in the service's colour."""

    def __init__(self, names: list[str]) -> None:
        self._console = Console(stderr=True, soft_wrap=True, highlight=False)
        self._colours = dict(zip(names, _COLOURS, strict=False))
        self._width = max(map(len, names))

    def __call__(self, name: str, line: str) -> None:
        prefix = Text(f"{name:<{self._width}} | ", style=self._colours[name])
        self._console.print(prefix + Text.from_ansi(line))
