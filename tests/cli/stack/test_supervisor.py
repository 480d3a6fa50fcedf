"""The supervisor of `zenith up` with small programs: order, restarts, no process left behind."""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from zenith_cli.stack import supervisor as module
from zenith_cli.stack.supervisor import Service, StackError, Supervisor

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups")

WAIT = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); "
SLEEP = "import time; [time.sleep(0.05) for _ in range(2000)]"


class Stack:
    """Services of Python code that write their names to `log` when they start and stop."""

    def __init__(self, folder):
        self.folder = folder
        self.lines = []
        self.services = []

    def add(self, name, code=WAIT + SLEEP, needs=(), is_ready=None):
        log = self.folder / "log"
        log_code = f"import atexit; f = open({str(log)!r}, 'a', buffering=1); print('+{name}', file=f); "
        log_code += f"atexit.register(lambda: print('-{name}', file=f)); "
        ready = is_ready or (lambda: log.exists() and f"+{name}\n" in log.read_text())
        command = [sys.executable, "-S", "-c", WAIT + log_code + code]  # WAIT first: handles SIGTERM once ready
        self.services.append(Service(name, command, ready, needs=needs))

    @property
    def log(self):
        return (self.folder / "log").read_text().split()

    def run(self, when_ready=None):
        """Run the services. Once ready, call `when_ready(supervisor)`; by default stop."""

        async def running():
            supervisor = Supervisor(self.services, lambda name, line: self.lines.append((name, line)))
            work = when_ready or (lambda supervisor: supervisor.stop())
            await asyncio.wait_for(supervisor.run(lambda: work(supervisor)), 60)

        asyncio.run(running())


@pytest.fixture
def stack(tmp_path):
    return Stack(tmp_path)


@pytest.mark.slow
def test_service_starts_after_its_dependency_and_stops_before_it(stack):
    stack.add("api", needs=("mlflow",))
    stack.add("mlflow", needs=("postgres",))
    stack.add("postgres")

    stack.run()

    assert stack.log == ["+postgres", "+mlflow", "+api", "-api", "-mlflow", "-postgres"]


def test_service_waits_until_its_dependency_is_ready(stack):
    ready = stack.folder / "ready"
    stack.add(
        "slow", f"import time; time.sleep(0.5); open({str(ready)!r}, 'w'); " + WAIT + SLEEP, is_ready=ready.exists
    )
    stack.add("next", f"import os; print(os.path.exists({str(ready)!r}), flush=True); " + WAIT + SLEEP, needs=("slow",))

    stack.run()

    assert ("next", "True") in stack.lines


def test_each_line_is_logged_with_its_service(stack):
    stack.add("one", "import sys; print('out'); print('err', file=sys.stderr); sys.stdout.flush(); " + WAIT + SLEEP)

    stack.run()

    assert {("one", "out"), ("one", "err")} <= set(stack.lines)


@pytest.mark.slow
def test_dead_service_is_restarted(stack):
    stack.add(
        "frail", f"import os; os._exit(3) if len(open({str(stack.folder / 'log')!r}).readlines()) < 3 else 0; " + SLEEP
    )

    def after_two_restarts(supervisor):
        async def wait():
            while stack.log.count("+frail") < 3:
                await asyncio.sleep(0.05)
            supervisor.stop()

        stack.task = asyncio.ensure_future(wait())

    stack.run(after_two_restarts)

    assert stack.log.count("+frail") == 3
    assert [line for line in stack.lines if line[0] == "frail"] == [("frail", "exited with status 3, restarting")] * 2


@pytest.mark.slow
def test_service_that_keeps_dying_stops_the_stack(stack, monkeypatch):
    monkeypatch.setattr(module, "RESTARTS", 2)
    stack.add("healthy")
    stack.add("sick", "import os; os._exit(1)")

    with pytest.raises(StackError, match="sick died 3 times"):
        stack.run(lambda supervisor: None)

    assert stack.log.count("+sick") == 3
    assert "-healthy" in stack.log


def test_service_that_is_never_ready_stops_the_stack(stack, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.5)
    stack.add("deaf", is_ready=lambda: False)

    with pytest.raises(StackError, match="deaf was not ready"):
        stack.run()


def test_service_that_ignores_the_stop_signal_is_killed_with_its_children(stack, monkeypatch):
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.5)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    child = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-S', '-c', {deaf + SLEEP!r}]); "
    stack.add("deaf", child + "print(p.pid, flush=True); " + deaf + SLEEP)

    def after_first_line(supervisor):
        async def wait():
            while not stack.lines:
                await asyncio.sleep(0.05)
            supervisor.stop()

        stack.task = asyncio.ensure_future(wait())

    stack.run(after_first_line)

    assert ("deaf", "did not stop within 0 s, killing it") in stack.lines
    assert is_gone(int(stack.lines[0][1]))


@pytest.mark.slow
def test_children_of_a_dead_service_are_killed_before_its_restart(stack):
    child = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-S', '-c', {SLEEP!r}]); "
    stack.add("parent", child + "print(p.pid, flush=True); import os; os._exit(0)")
    orphans = []

    def after_restart(supervisor):
        async def wait():
            while len(orphans) < 2:
                orphans[:] = [int(line) for _, line in stack.lines if line.isdigit()]
                await asyncio.sleep(0.02)
            supervisor.stop()

        stack.task = asyncio.ensure_future(wait())

    stack.run(after_restart)

    assert is_gone(orphans[0])


SUPERVISOR = f"""
import asyncio, sys
from zenith_cli.stack.supervisor import Service, Supervisor
code = "import os; print(os.getpid(), flush=True); {SLEEP}"
service = Service("one", [sys.executable, "-S", "-c", code], lambda: True)
asyncio.run(Supervisor([service], lambda name, line: print(line, flush=True)).run(lambda: None))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="prctl exists only on Linux")
def test_services_end_if_the_supervisor_is_killed():
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE, text=True)
    service = int(supervisor.stdout.readline())

    supervisor.kill()
    supervisor.communicate()

    assert is_gone(service)


def is_gone(pid):
    """Wait up to 5 s for the process to end; return True if it did. A zombie counts as ended."""
    for _ in range(100):
        with suppress(OSError):
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.05)
                continue
        return True
    return False
