"""Keeps services running: starts each when what it needs is ready, starts what dies again, ends all together.

Why not a process manager from PyPI: docs/decisions/0031-our-own-supervisor.md.
"""

import asyncio
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing, suppress

from zenith_cli.stack.service import Service
from zenith_core.errors import ZenithError

PATIENCE_SECONDS = 180.0  # for a service to become ready
GRACE_SECONDS = 15.0  # for a service to end before it is killed
RESTARTS = 5  # so many within RESTARTS_SECONDS; who dies more often will not be helped by another start
RESTARTS_SECONDS = 300.0
_LINE_BYTES = 1 << 20


class StackError(ZenithError):
    """A service cannot be kept running."""

    exit_code = 1


class Supervisor:
    """Runs `services` until it is told to stop. `say` gets each line of theirs: (name, line)."""

    def __init__(self, services: Sequence[Service], say: Callable[[str, str], None]) -> None:
        self._services = services
        self._say = say
        self._ready = {service.name: asyncio.Event() for service in services}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Begin to end."""
        self._stopping.set()

    async def run(self, when_ready: Callable[[], None]) -> None:
        """Return when all has been stopped as asked. Raises StackError if a service cannot be kept running."""
        keepers = [asyncio.create_task(self._keep(service)) for service in self._services]
        announcer = asyncio.create_task(self._announce(when_ready))
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            done, _ = await asyncio.wait([stopped, *keepers], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()  # raises what went wrong
        finally:
            self._stopping.set()
            await self._end_all()
            await asyncio.wait(keepers, timeout=1)
            for task in (announcer, stopped, *keepers):
                task.cancel()
            await asyncio.gather(announcer, stopped, *keepers, return_exceptions=True)

    async def _announce(self, when_ready: Callable[[], None]) -> None:
        for event in self._ready.values():
            await event.wait()
        when_ready()

    async def _keep(self, service: Service) -> None:
        for need in service.needs:
            await self._ready[need].wait()
        await asyncio.to_thread(service.prepare)
        deaths: deque[float] = deque(maxlen=RESTARTS)
        while not self._stopping.is_set():
            status = await self._live_once(service)
            if self._stopping.is_set():
                return
            if len(deaths) == RESTARTS and time.monotonic() - deaths[0] < RESTARTS_SECONDS:
                raise StackError(
                    f"{service.name} has died {RESTARTS + 1} times in a few minutes: its lines above say why"
                )
            deaths.append(time.monotonic())
            self._say(service.name, f"ended with status {status}, is started again")
            await asyncio.sleep(len(deaths) - 1)

    async def _live_once(self, service: Service) -> int:
        """One life of the service, from its start to its end; return its exit status."""
        source, sink = os.pipe()
        try:
            process = self._processes[service.name] = await asyncio.create_subprocess_exec(
                *_ending_with_us(service),
                env={**os.environ, **service.environment},
                user=service.user,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,  # not a pipe of asyncio's: with one, the process counts as alive while a child writes
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us alone: we end them in their order
            )
        finally:
            os.close(sink)
        teller = asyncio.create_task(self._tell(service.name, source))
        watcher = asyncio.create_task(self._watch(service))
        ended = asyncio.create_task(process.wait())
        try:
            await asyncio.wait([ended, watcher], return_when=asyncio.FIRST_COMPLETED)
            if watcher.done():
                watcher.result()  # raises if it did not become ready
            return await ended
        finally:
            watcher.cancel()
            _signal(process, signal.SIGKILL)  # what a dead service has left running
            await asyncio.wait([teller], timeout=1)  # a child in a session of its own may hold the pipe for ever
            teller.cancel()

    async def _watch(self, service: Service) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not await asyncio.to_thread(service.is_ready):
            if time.monotonic() > deadline:
                raise StackError(
                    f"{service.name} has not become ready in {PATIENCE_SECONDS:.0f} s: its lines above say why"
                )
            await asyncio.sleep(0.3)
        self._ready[service.name].set()

    async def _tell(self, name: str, source: int) -> None:
        """Say each line that comes out of the pipe."""
        reader = asyncio.StreamReader(limit=_LINE_BYTES)
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(source, "rb")
        )
        with closing(pipe):
            while line := await _line(reader):
                self._say(name, line.decode(errors="replace").rstrip())

    async def _end_all(self) -> None:
        """In the reverse order, so that a database outlives those who write to it."""
        left = list(self._services)
        while left:
            needed = {need for service in left for need in service.needs}
            last = [service for service in left if service.name not in needed]
            await asyncio.gather(*(self._end(service) for service in last))
            left = [service for service in left if service not in last]

    async def _end(self, service: Service) -> None:
        process = self._processes.get(service.name)
        if process is None:
            return
        _signal(process, service.stop_signal)
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                await process.wait()
                while _signal(process, 0):  # its children
                    await asyncio.sleep(0.05)
        except TimeoutError:
            self._say(service.name, f"has not ended in {GRACE_SECONDS:.0f} s and is killed")
            _signal(process, signal.SIGKILL)


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line; empty at the end."""
    try:
        return await reader.readline()
    except ValueError:  # longer than any line should be: what was read of it is gone
        return b"(a line that was too long)"


def _signal(process: asyncio.subprocess.Process, number: int) -> bool:
    """Send a signal to the process and its children; whether there was anyone."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
        return True
    return False


def _ending_with_us(service: Service) -> list[str]:
    """The service's command, in a way that lets Linux end it if we are killed ourselves (prctl PR_SET_PDEATHSIG).

    Not by `preexec_fn`, which forks this whole process. Another user may not be able to run our Python.
    """
    if sys.platform != "linux" or service.user:
        return list(service.command)
    code = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execv(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-ISc", code, *service.command]
