"""The shared pace of requests: several processes of a home, a Redis, and pauses after refusals. Nothing here waits."""

import sqlite3
import time

import pytest

from zenith_pipelines.ingestion.sources import make_source, pace
from zenith_pipelines.ingestion.sources.pace import LONGEST_PAUSE, SHORTEST_PAUSE, SharedPace
from zenith_pipelines.settings import Settings


@pytest.fixture(params=["home", "redis"])
def make(request, tmp_path):
    """Return a function that makes the pace of another process."""
    url = request.getfixturevalue("redis").url if request.param == "redis" else None
    homes = iter([tmp_path / "a", tmp_path / "b"] if url else [tmp_path / "a"] * 2)
    return lambda rate=2: SharedPace("yahoo", rate, next(homes), url)


def test_processes_share_one_pace(make):
    one, other = make(), make()

    waits = [one.wait(0), other.wait(0), one.wait(0), other.wait(0)]

    assert waits[:2] == [0, 0]
    assert all(0 < seconds <= 60.05 for seconds in waits[2:])


def test_a_refusal_pauses_everybody_and_a_shorter_one_does_not_end_it(make):
    one, other = make(100), make(100)
    one.pause(300)
    other.pause(20)

    assert 290 < other.wait(0) <= 300
    assert 290 < one.wait(100) <= 300


@pytest.mark.parametrize(("asked", "seconds"), [(0, SHORTEST_PAUSE), (1e9, LONGEST_PAUSE)])
def test_a_pause_is_neither_short_nor_endless(make, asked, seconds):
    one = make()
    one.pause(asked)
    assert seconds - 10 < one.wait(0) <= seconds


def test_after_a_pause_the_request_is_sent(tmp_path, monkeypatch):
    clock = [time.time()]
    monkeypatch.setattr(pace.time, "time", lambda: clock[0])
    sleeps = []

    def sleep(seconds):
        sleeps.append(seconds)
        clock[0] += seconds

    one = SharedPace("yahoo", 100, tmp_path, sleep=sleep)
    one.pause(30)

    assert one.wait(60) == 0
    assert sleeps == [pytest.approx(30, abs=0.2)]


def test_without_its_redis_the_home_keeps_the_pace(redis, tmp_path, caplog):
    one = SharedPace("yahoo", 1, tmp_path, redis.url)
    redis.kill()

    assert one.wait(0) == 0
    assert one.wait(0) > 0
    assert "redis is unavailable, each home counts by itself" in caplog.text


@pytest.mark.parametrize("name", ["yahoo.db", "yahoo.until"])
def test_a_damaged_file_of_counts_stops_nothing(tmp_path, name):
    (tmp_path / "pace").mkdir()
    (tmp_path / "pace" / name).write_bytes(b"not what it was" * 100)
    one = SharedPace("yahoo", 1, tmp_path, sleep=lambda _: None)

    assert one.wait(60) == 0


def test_counts_that_are_locked_are_waited_for_and_kept(tmp_path, monkeypatch):
    def fail(*_):
        raise sqlite3.OperationalError("database is locked")  # after five seconds

    one = SharedPace("yahoo", 1, tmp_path)
    assert one.wait(0) == 0
    with monkeypatch.context() as patch:
        patch.setattr(pace.SQLiteBucket, "put", fail)
        assert one.wait(0) == SHORTEST_PAUSE

    assert one.wait(0) > SHORTEST_PAUSE  # the request before is still counted


def test_the_source_of_the_settings_has_the_pace_of_its_home(tmp_path):
    source = make_source("yahoo", settings=Settings(zenith_home=tmp_path, zenith_yahoo_rate=1, redis_url=None))
    assert source._pace.wait(0) == 0
    assert SharedPace("yahoo", 1, tmp_path).wait(0) > 0
