"""How long a process waits for a server, a run long and a command within one budget, and what it says meanwhile."""

import threading

import pytest
from filelock import FileLock

from tests.waiting import PATIENCE, wait_until
from zenith_pipelines import patience


@pytest.fixture
def clock(monkeypatch):
    """The seconds since the command began."""
    now = [100.0]
    monkeypatch.setattr(patience.time, "monotonic", lambda: now[0])
    return now


def test_a_run_waits_as_long_each_time(clock):
    patience.be_patient()

    assert (patience.wait_seconds(), patience.is_brief()) == (60, False)


def test_the_waits_of_a_command_are_one_budget(clock):
    patience.be_brief()
    assert (patience.wait_seconds(), patience.is_brief()) == (8, True)

    clock[0] += 3
    assert patience.wait_seconds() == 5

    clock[0] += 60
    assert patience.wait_seconds() == 3


def test_a_batch_that_took_hours_leaves_a_whole_budget(clock):
    patience.be_brief()
    clock[0] += 3600

    patience.renew_budget()

    assert patience.wait_seconds() == 8


def test_a_run_has_no_budget_to_renew(clock):
    patience.be_patient()

    patience.renew_budget()

    assert not patience.is_brief()


def test_a_wait_is_said_once_for_each_name(monkeypatch, capsys):
    monkeypatch.setattr(patience, "_SILENT_SECONDS", 0)
    patience.be_brief()

    for name in ("REDIS_URL", "DATABASE_URL"):
        with patience.waiting_for(name):
            wait_until(lambda name=name: name in patience._said)
    monkeypatch.setattr(patience.threading, "Timer", None)  # which another wait for the same would call
    with patience.waiting_for("REDIS_URL"):
        pass

    assert capsys.readouterr().err == "zenith: waiting for REDIS_URL\nzenith: waiting for DATABASE_URL\n"


def test_a_wait_of_a_moment_is_not_said(monkeypatch, capsys):
    timers = []
    monkeypatch.setattr(patience, "_SILENT_SECONDS", PATIENCE)
    monkeypatch.setattr(patience.threading, "Timer", lambda *_: timers.append(Timer()) or timers[-1])
    patience.be_brief()

    with pytest.raises(OSError, match="refused"), patience.waiting_for("REDIS_URL"):
        raise OSError("refused")

    assert [timer.state for timer in timers] == ["canceled"]
    assert capsys.readouterr().err == ""


class Timer:
    """A timer that runs out never."""

    state = "new"

    def start(self):
        self.state = "started"

    def cancel(self):
        self.state = "canceled"


def test_the_next_command_says_its_own_waits(monkeypatch):
    monkeypatch.setattr(patience, "_SILENT_SECONDS", 0)
    patience.be_brief()
    with patience.waiting_for("REDIS_URL"):
        wait_until(lambda: patience._said)

    patience.be_brief()

    assert not patience._said


def test_a_lock_that_another_process_holds_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(patience, "_SILENT_SECONDS", 0)
    patience.be_brief()
    other = FileLock(tmp_path / "lock", thread_local=False)
    other.acquire()
    release = threading.Thread(target=lambda: (wait_until(lambda: patience._said), other.release()))
    release.start()

    with patience.patient_lock(FileLock(tmp_path / "lock")):
        release.join()

    assert capsys.readouterr().err == f"zenith: waiting for another process that holds {tmp_path / 'lock'}\n"
