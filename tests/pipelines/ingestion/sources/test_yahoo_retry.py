"""How often and how long a refusal is tried again."""

import pytest

from zenith_core.errors import Delisted, RateLimited
from zenith_pipelines.ingestion.sources.yahoo_retry import RetryPolicy


class Refusals:
    """Raises the errors given, one per call, then returns the number of calls."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


def test_backoff_doubles_up_to_its_longest_and_is_never_less_than_half():
    policy = RetryPolicy(first_wait=1.0, longest_wait=10.0)
    for attempt, ceiling in enumerate([1.0, 2.0, 4.0, 8.0, 10.0, 10.0], start=1):
        waits = [policy.backoff(attempt) for _ in range(200)]
        assert ceiling / 2 <= min(waits) < max(waits) <= ceiling


def test_only_retryable_errors_are_tried_again():
    gone = Refusals(Delisted("gone"))
    with pytest.raises(Delisted):
        RetryPolicy().call(gone, retry_after=lambda: 0.0, sleep=pytest.fail)
    assert gone.calls == 1


def test_a_wait_that_was_asked_for_is_kept_to_even_beyond_the_longest_backoff():
    sleeps = []
    assert RetryPolicy().call(Refusals(RateLimited("slow down")), retry_after=lambda: 200.0, sleep=sleeps.append) == 2
    assert 200 < sleeps[0] <= 202


def test_waiting_is_announced(caplog):
    RetryPolicy().call(Refusals(RateLimited("slow down")), retry_after=lambda: 9.0, sleep=lambda _: None)
    [record] = caplog.records
    assert record.getMessage().startswith("slow down; try 2 of 5 in 1")


def test_a_fetch_ends_within_its_bounds_whatever_is_asked():
    asked = iter([100.0, 150.0, 100.0])
    sleeps = []
    with pytest.raises(RateLimited):
        RetryPolicy().call(Refusals(*[RateLimited("no")] * 9), retry_after=lambda: next(asked), sleep=sleeps.append)
    assert len(sleeps) == 2
    assert sum(sleeps) <= 300
