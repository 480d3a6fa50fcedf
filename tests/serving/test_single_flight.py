from concurrent.futures import ThreadPoolExecutor
from threading import Semaphore

import pytest

from tests.waiting import PATIENCE
from zenith_serving.single_flight import SingleFlight

CALLERS = 20


class Watched(SingleFlight):
    """Tells when a caller has joined a flight, as its first or as another."""

    def __init__(self):
        super().__init__()
        self.joined = Semaphore(0)

    def _join(self, key):
        flight = super()._join(key)
        self.joined.release()
        return flight


class Work:
    """A computation that ends when all its waiters have joined, and fails its first times."""

    def __init__(self, flights, failures=0):
        self.flights, self.failures, self.calls = flights, failures, 0

    def __call__(self):
        waiting = CALLERS - self.calls
        self.calls += 1
        for _ in range(waiting):
            assert self.flights.joined.acquire(timeout=PATIENCE)
        if self.calls <= self.failures:
            raise ValueError(self.calls)
        return f"result {self.calls}"


@pytest.fixture
def flights():
    return Watched()


def all_at_once(work):
    """Return the outcome of each of CALLERS callers: a result, or the number of the call that failed."""

    def call(_):
        try:
            return work.flights.do("key", work)
        except ValueError as error:
            return error.args[0]

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(call, range(CALLERS)))


def test_those_who_ask_at_the_same_time_share_one_computation(flights):
    work = Work(flights)
    assert set(all_at_once(work)) == {"result 1"}
    assert work.calls == 1


def test_a_failure_is_not_the_failure_of_those_who_waited(flights):
    work = Work(flights, failures=1)
    results = all_at_once(work)
    assert (results.count(1), results.count("result 2"), work.calls) == (1, CALLERS - 1, 2)


def test_what_fails_again_fails_all_who_waited(flights):
    work = Work(flights, failures=2)
    results = all_at_once(work)
    assert (results.count(1), results.count(2), work.calls) == (1, CALLERS - 1, 2)


def test_nothing_is_kept(flights):
    assert [flights.do("key", lambda number=number: number) for number in (1, 2)] == [1, 2]
    with pytest.raises(ZeroDivisionError):
        flights.do("key", lambda: 1 / 0)
    assert flights.do("key", lambda: 3) == 3
