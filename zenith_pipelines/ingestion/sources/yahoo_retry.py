"""How long the yahoo source tries: exponential backoff with jitter, never sooner than Yahoo asks, and bounded."""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

Result = TypeVar("Result")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RetryPolicy:
    """Bounds of one fetch, in seconds.

    tries:        at most so many attempts
    first_wait:   the first backoff lies between half of it and all of it, each later one between double that
    longest_wait: no backoff is longer; a wait that Yahoo asks for may be
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
        """`attempt()`, again while it raises a retryable error and the bounds allow; then that error.

        `retry_after` gives the seconds that the source last asked to wait. The backoff comes on top, so that many
        processes told the same time do not come back together.
        """
        retrying = Retrying(
            retry=retry_if_exception(lambda error: getattr(error, "retryable", False)),
            wait=lambda state: retry_after() + self.backoff(state.attempt_number),
            stop=self._enough,
            sleep=sleep,
            before_sleep=self._announce,
            reraise=True,
        )
        return retrying(attempt)

    def backoff(self, attempt: int) -> float:
        """Seconds to wait after the given attempt (from 1): a random half to whole of the doubling ceiling."""
        ceiling = min(self.longest_wait, self.first_wait * 2.0 ** (attempt - 1))
        return random.uniform(ceiling / 2, ceiling)

    def _enough(self, state: RetryCallState) -> bool:
        passed = max(state.idle_for, state.seconds_since_start or 0.0)
        return state.attempt_number >= self.tries or passed + state.upcoming_sleep > self.total_wait

    def _announce(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        logger.warning("%s; try %d of %d in %.0f s", error, state.attempt_number + 1, self.tries, state.upcoming_sleep)
