"""Run services in the foreground: their output by name, their addresses last, and a stop by Ctrl-C."""

import asyncio
import re
import signal
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from zenith_cli.stack.supervisor import Service, Supervisor

_ROUTINE = re.compile(r" - (?:DEBUG|INFO) - |WARNING - No cursor for event type ")  # the daemon's first look at a home
_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "bright_cyan", "bright_magenta")


async def run_in_foreground(services: Sequence[Service], addresses: str, *, verbose: bool = True) -> int:
    """Run until SIGINT or SIGTERM; print `addresses` once all are ready; return the exit status. Raises StackError.

    Without `verbose`, routine lines of Dagster's log are left out: each run writes a hundred.
    """
    supervisor = Supervisor(services, _LogPrinter([service.name for service in services], verbose=verbose))
    signals: list[int] = []

    def on_signal(number: int) -> None:
        signals.append(number)
        supervisor.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    print(f"starting {', '.join(service.name for service in services)}", file=sys.stderr)
    await supervisor.run(lambda: print(addresses, flush=True))
    print("all stopped", file=sys.stderr)
    return 128 + signals[0] if signals else 0


class _LogPrinter:
    """Print each line with the name of its service, on a terminal in the service's colour."""

    def __init__(self, names: list[str], *, verbose: bool) -> None:
        self._verbose = verbose
        self._console = Console(stderr=True, soft_wrap=True, highlight=False)
        self._colours = dict(zip(names, _COLOURS, strict=False))
        self._width = max(map(len, names))

    def __call__(self, name: str, line: str) -> None:
        text = Text.from_ansi(line)
        if not self._verbose and _ROUTINE.search(text.plain):
            return
        self._console.print(Text(f"{name:<{self._width}} | ", style=self._colours[name]) + text)
