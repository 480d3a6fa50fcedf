"""The seconds that a process waits for a server: a run long, a command within one budget."""

import pytest

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
