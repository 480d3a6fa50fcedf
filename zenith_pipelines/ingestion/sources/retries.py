"""Retries of requests to a source: bounded exponential backoff with jitter, never before its Retry-After."""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

Result = TypeVar("Result")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RetryPolicy:
    """Limits of one fetch, in seconds.

    tries:        the most attempts
    first_wait:   ceiling of the first backoff, doubled for each later one; a backoff is half to all of its ceiling
    longest_wait: the longest backoff; a Retry-After may be longer
    total_wait:   no attempt begins later than this after the first; a longer Retry-After ends the fetch at once
    timeout:      of one request for prices
    """

    tries: int = 5
    first_wait: float = 2.0
    longest_wait: float = 60.0
    total_wait: float = 300.0
    timeout: float = 30.0

    def call(
        self, attempt: Callable[[], Result], retry_after: Callable[[], float], sleep: Callable[[float], None]
    ) -> Result:
        """Call `attempt` until it raises no retryable error; at the limits, raise its last error.

        `retry_after` returns the latest Retry-After in seconds. The backoff is added to it, so that many processes
        with the same Retry-After do not return together.
        """
        retrying = Retrying(
            retry=retry_if_exception(lambda error: getattr(error, "retryable", False)),
            wait=lambda state: retry_after() + self.backoff(state.attempt_number),
            stop=self._is_exhausted,
            sleep=sleep,
            before_sleep=self._log_retry,
            reraise=True,
        )
        return retrying(attempt)

    def backoff(self, attempt: int) -> float:
        """Return the seconds to wait after attempt number `attempt` (from 1): a random half to all of its ceiling."""
        ceiling = min(self.longest_wait, self.first_wait * 2.0 ** (attempt - 1))
        return random.uniform(ceiling / 2, ceiling)

    def _is_exhausted(self, state: RetryCallState) -> bool:
        seconds = max(state.idle_for, state.seconds_since_start or 0.0)
        return state.attempt_number >= self.tries or seconds + state.upcoming_sleep > self.total_wait

    def _log_retry(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        following = state.attempt_number + 1
        logger.warning("%s; attempt %d of %d in %.0f s", error, following, self.tries, state.upcoming_sleep)


def retry_after(value: str | None, now: datetime) -> float:
    """Parse a Retry-After header (RFC 9110: seconds or a date) into seconds; 0 if it is absent or unreadable."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError):
        return 0.0
