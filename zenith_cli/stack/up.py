"""`zenith up`: bring the stack up, say where everything is, and take it down again."""

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
    make_schedules(settings)  # or a wrong cron expression would be a code location that does not load
    layout = Layout(home, port_base)
    layout.folder.mkdir(exist_ok=True, mode=0o711)
    lock = FileLock(layout.folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UserError(f"a stack is up already on {home}: stop it, or name another ZENITH_HOME") from None
    with lock:
        layout.require_free_ports()
        prepare(layout)
        return asyncio.run(_run(layout))


async def _run(layout: Layout) -> int:
    stack = services(layout)
    tell = _Teller([service.name for service in stack])
    supervisor = Supervisor(stack, tell)
    received: list[int] = []

    def on_signal(number: int) -> None:
        received.append(number)
        supervisor.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    print(f"starting {', '.join(service.name for service in stack)}", file=sys.stderr)
    await supervisor.run(lambda: print(_addresses(layout), flush=True))
    print("all stopped", file=sys.stderr)
    return 128 + received[0] if received else 0


def _addresses(layout: Layout) -> str:
    return f"""
Zenith is up:
  predictions  {layout.url("api")}        documented on {layout.url("api")}/docs
  Dagster      {layout.url("dagster")}
  MLflow       {layout.url("mlflow")}
In another terminal: . {layout.folder / "stack.env"}; zenith tickers add AAPL; zenith job retrain_model
Ctrl-C stops everything; what was made stays in {layout.home}
"""


class _Teller:
    """Prints lines with the name of who said them, in a colour of its own on a terminal."""

    def __init__(self, names: list[str]) -> None:
        self._console = Console(stderr=True, soft_wrap=True, highlight=False)
        self._colours = dict(zip(names, _COLOURS, strict=False))
        self._width = max(map(len, names))

    def __call__(self, name: str, line: str) -> None:
        prefix = Text(f"{name:<{self._width}} | ", style=self._colours[name])
        self._console.print(prefix + Text.from_ansi(line))
