"""Join concurrent calls for one key into one computation."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

Result = TypeVar("Result")


class SingleFlight(Generic[Result]):
    """Joins concurrent calls for one key. Keeps no result once a computation has ended."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, Future[Result]] = {}
        self._guard = Lock()

    def do(self, key: Hashable, compute: Callable[[], Result]) -> Result:
        """Return the result of `compute`, or of the computation already under way for this key.

        If a shared computation fails, each waiter retries once before it raises.
        """
        flight, is_mine = self._join(key)
        if is_mine:
            return self._fly(key, flight, compute)
        try:
            return flight.result()
        except Exception:
            flight, is_mine = self._join(key)
            return self._fly(key, flight, compute) if is_mine else flight.result()

    def _join(self, key: Hashable) -> tuple[Future[Result], bool]:
        with self._guard:
            if flight := self._flights.get(key):
                return flight, False
            flight = self._flights[key] = Future()
            return flight, True

    def _fly(self, key: Hashable, flight: Future[Result], compute: Callable[[], Result]) -> Result:
        try:
            result = compute()
        except BaseException as error:
            self._land(key)
            flight.set_exception(error)
            raise
        self._land(key)
        flight.set_result(result)
        return result

    def _land(self, key: Hashable) -> None:
        with self._guard:
            del self._flights[key]
