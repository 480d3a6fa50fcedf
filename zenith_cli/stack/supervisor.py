"""Keep services running: start each after its dependencies, restart it if it dies, stop all in reverse order.

Why not a process manager from PyPI: docs/decisions/0031-our-own-supervisor.md.
"""

import asyncio
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field

from zenith_core.errors import ZenithError

PATIENCE_SECONDS = 180.0  # for a service to become ready
GRACE_SECONDS = 15.0  # for a service to stop before it is killed
RESTARTS = 5  # limit within RESTARTS_SECONDS; another restart would not help a service that dies more often
RESTARTS_SECONDS = 300.0
_LINE_BYTES = 1 << 20


class StackError(ZenithError):
    """A service cannot be kept running."""

    exit_code = 1


@dataclass(frozen=True)
class Service:
    """A process that the stack keeps running.

    command, environment, user:  how to start it, and as which user (default: the current one)
    needs:                       services that must be ready before it starts
    is_ready:                    returns True once it responds; polled in a thread
    prepare:                     called once, after its dependencies are ready and before it starts
    stop_signal:                 the signal that asks it to stop
    """

    name: str
    command: Sequence[str]
    is_ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    prepare: Callable[[], None] = lambda: None
    stop_signal: signal.Signals = signal.SIGTERM
    user: str | None = None


class Supervisor:
    """Run `services` until stopped. `log` receives each line of their output: (name, line)."""

    def __init__(self, services: Sequence[Service], log: Callable[[str, str], None]) -> None:
        self._services = services
        self._log = log
        self._ready = {service.name: asyncio.Event() for service in services}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Request a stop; `run` then stops every service and returns."""
        self._stopping.set()

    async def run(self, when_ready: Callable[[], None]) -> None:
        """Run until `stop` is called, then stop everything. Raises StackError if a service cannot be kept running."""
        keepers = [asyncio.create_task(self._keep(service)) for service in self._services]
        announcer = asyncio.create_task(self._announce(when_ready))
        stop = asyncio.create_task(self._stopping.wait())
        try:
            ended_tasks, _ = await asyncio.wait([stop, *keepers], return_when=asyncio.FIRST_COMPLETED)
            for task in ended_tasks - {stop}:
                task.result()  # raises its error
        finally:
            self._stopping.set()
            await self._stop_all()
            await asyncio.wait(keepers, timeout=1)
            for task in (announcer, stop, *keepers):
                task.cancel()
            await asyncio.gather(announcer, stop, *keepers, return_exceptions=True)

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
            status = await self._run_once(service)
            if self._stopping.is_set():
                return
            if len(deaths) == RESTARTS and time.monotonic() - deaths[0] < RESTARTS_SECONDS:
                raise StackError(f"{service.name} died {RESTARTS + 1} times in a few minutes: see its output above")
            deaths.append(time.monotonic())
            self._log(service.name, f"exited with status {status}, restarting")
            await asyncio.sleep(len(deaths) - 1)

    async def _run_once(self, service: Service) -> int:
        """Start the service, wait for its end and return its exit status."""
        source, sink = os.pipe()
        try:
            process = self._processes[service.name] = await asyncio.create_subprocess_exec(
                *_command(service),
                env={**os.environ, **service.environment},
                user=service.user,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,  # with a pipe of asyncio's, the process would count as alive while a child writes
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches only the supervisor, which stops services in order
            )
        finally:
            os.close(sink)
        log_reader = asyncio.create_task(self._read_log(service.name, source))
        watcher = asyncio.create_task(self._watch(service))
        exit_status = asyncio.create_task(process.wait())
        try:
            await asyncio.wait([exit_status, watcher], return_when=asyncio.FIRST_COMPLETED)
            if watcher.done():
                watcher.result()  # raises if it did not become ready
            return await exit_status
        finally:
            watcher.cancel()
            _signal(process, signal.SIGKILL)  # children of a dead service
            await asyncio.wait([log_reader], timeout=1)  # a child in a session of its own may hold the pipe for ever
            log_reader.cancel()

    async def _watch(self, service: Service) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not await asyncio.to_thread(service.is_ready):
            if time.monotonic() > deadline:
                raise StackError(f"{service.name} was not ready after {PATIENCE_SECONDS:.0f} s: see its output above")
            await asyncio.sleep(0.3)
        self._ready[service.name].set()

    async def _read_log(self, name: str, source: int) -> None:
        """Log each line from the pipe."""
        reader = asyncio.StreamReader(limit=_LINE_BYTES)
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(source, "rb")
        )
        with closing(pipe):
            while line := await _line(reader):
                self._log(name, line.decode(errors="replace").rstrip())

    async def _stop_all(self) -> None:
        """Stop services in reverse order, so that a database outlives its clients."""
        running = list(self._services)
        while running:
            dependencies = {need for service in running for need in service.needs}
            leaves = [service for service in running if service.name not in dependencies]
            await asyncio.gather(*(self._stop(service) for service in leaves))
            running = [service for service in running if service not in leaves]

    async def _stop(self, service: Service) -> None:
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
            self._log(service.name, f"did not stop within {GRACE_SECONDS:.0f} s, killing it")
            _signal(process, signal.SIGKILL)


async def _line(reader: asyncio.StreamReader) -> bytes:
    """Return the next line, empty at the end."""
    try:
        return await reader.readline()
    except ValueError:  # the reader has dropped the line
        return b"(line too long)"


def _signal(process: asyncio.subprocess.Process, number: int) -> bool:
    """Send a signal to the process and its children. Return False if none is left."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
        return True
    return False


def _command(service: Service) -> list[str]:
    """Return the command. On Linux a wrapper ends it if the supervisor is killed (prctl PR_SET_PDEATHSIG).

    `preexec_fn` would fork this whole process. A service of another user has no wrapper, because that user may not be
    able to run our Python.
    """
    if sys.platform != "linux" or service.user:
        return list(service.command)
    code = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execv(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-ISc", code, *service.command]
