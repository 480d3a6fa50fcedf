"""Limits and waits of retries."""

import pytest

from zenith_core.errors import Delisted, RateLimited
from zenith_pipelines.ingestion.sources.retries import RetryPolicy


class Refusals:
    """Raise `errors`, one per call, then return the number of calls."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


def test_backoff_doubles_up_to_its_limit_and_is_at_least_half_its_ceiling():
    policy = RetryPolicy(first_wait=1.0, longest_wait=10.0)
    for attempt, ceiling in enumerate([1.0, 2.0, 4.0, 8.0, 10.0, 10.0], start=1):
        waits = [policy.backoff(attempt) for _ in range(200)]
        assert ceiling / 2 <= min(waits) < max(waits) <= ceiling


def test_only_retryable_errors_are_retried():
    attempt = Refusals(Delisted("gone"))
    with pytest.raises(Delisted):
        RetryPolicy().call(attempt, retry_after=lambda: 0.0, sleep=pytest.fail)
    assert attempt.calls == 1


def test_a_retry_after_longer_than_the_longest_backoff_is_respected():
    sleeps = []
    assert RetryPolicy().call(Refusals(RateLimited("slow down")), retry_after=lambda: 200.0, sleep=sleeps.append) == 2
    assert 200 < sleeps[0] <= 202


def test_a_wait_is_logged(caplog):
    RetryPolicy().call(Refusals(RateLimited("slow down")), retry_after=lambda: 9.0, sleep=lambda _: None)
    [record] = caplog.records
    assert record.getMessage().startswith("slow down; attempt 2 of 5 in 1")


def test_a_fetch_ends_within_its_total_wait_for_any_retry_after():
    waits = iter([100.0, 150.0, 100.0])
    sleeps = []
    with pytest.raises(RateLimited):
        RetryPolicy().call(Refusals(*[RateLimited("no")] * 9), retry_after=lambda: next(waits), sleep=sleeps.append)
    assert len(sleeps) == 2
    assert sum(sleeps) <= 300
