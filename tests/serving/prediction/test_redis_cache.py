"""Against a real redis-server."""

import time

import pytest
from pydantic import BaseModel

from zenith_serving.errors import CacheUnavailable
from zenith_serving.prediction.cache import LocalCache
from zenith_serving.prediction.redis_cache import REDIS_TIMEOUT_SECONDS, RedisCache

AWAY = {"kind": "in-process", "state": "redis away, in-process instead"}
NOWHERE = "redis://127.0.0.1:1/0"


class Kept(BaseModel):
    value: int


@pytest.fixture
def cache(redis):
    cache = RedisCache(redis.url, 60, LocalCache(60))
    yield cache
    cache._redis.close()


def test_an_answer_is_kept_as_json_with_an_expiry_and_shared(redis, cache):
    cache.put("AAPL", "key", b'{"value":1}')
    assert redis.client.get("zenith:2::AAPL:key") == b'{"value":1}'
    assert 0 < redis.client.ttl("zenith:2::AAPL:key") <= 60
    other = RedisCache(redis.url, 60, LocalCache(60))
    assert other.get("AAPL", "key", Kept) == b'{"value":1}'
    assert other.state() == {"kind": "redis", "state": "ok"}


@pytest.mark.parametrize("garbage", [b"", b"\x80\x04K\x01.", b"[]", b'{"value": "x"}', b'{"value": NaN}', b"[" * 9999])
def test_garbage_is_passed_over_and_replaced(redis, cache, garbage):
    redis.client.set("zenith:2::AAPL:key", garbage)
    assert cache.get("AAPL", "key", Kept) is None
    cache.put("AAPL", "key", b'{"value":1}')
    assert cache.get("AAPL", "key", Kept) == b'{"value":1}'


def test_values_of_another_type_are_passed_over_and_do_not_count_as_away(redis, cache):
    redis.client.lpush("zenith:2::AAPL:key", "x")
    redis.client.lpush("zenith:2::AAPL", "x")
    assert cache.get("AAPL", "key", Kept) is None
    cache.put("AAPL", "key", b'{"value":1}')
    assert cache.get("AAPL", "key", Kept) == b'{"value":1}'
    assert cache.state() == {"kind": "redis", "state": "ok"}
    with pytest.raises(CacheUnavailable):
        cache.forget("AAPL")


def test_one_ticker_is_forgotten_by_its_index_and_nothing_is_searched(redis, cache):
    for ticker in ("AAPL", "MSFT"):
        cache.put(ticker, "key", b'{"value":1}')
    before = redis.client.info("commandstats")
    cache.forget("AAPL")
    assert cache.get("AAPL", "key", Kept) is None
    assert cache.get("MSFT", "key", Kept) == b'{"value":1}'
    calls = {name: statistics["calls"] for name, statistics in redis.client.info("commandstats").items()}
    new = {name for name, count in calls.items() if count != before.get(name, {}).get("calls")}
    assert new <= {f"cmdstat_{name}" for name in ("zrange", "multi", "unlink", "zrem", "exec", "get", "info")}
    assert set(redis.client.keys()) == {b"zenith:2::MSFT", b"zenith:2::MSFT:key"}


def test_all_is_forgotten_by_every_process_that_looks(redis, cache):
    other = RedisCache(redis.url, 60, LocalCache(60))
    for one in (cache, other):
        one.put("AAPL", "key", b'{"value":1}')
    cache.forget()
    assert cache.get("AAPL", "key", Kept) is None
    other.check()
    assert other.get("AAPL", "key", Kept) is None
    cache.put("AAPL", "key", b'{"value":2}')
    assert other.get("AAPL", "key", Kept) == b'{"value":2}'


def test_what_has_expired_leaves_the_index(redis):
    brief = RedisCache(redis.url, 1, LocalCache(60))
    brief.put("AAPL", "old", b'{"value":1}')
    redis.client.persist("zenith:2::AAPL")
    time.sleep(1.05)
    assert brief.stats(["AAPL"])["entries"] == 0
    brief.put("AAPL", "new", b'{"value":1}')
    assert redis.client.zrange("zenith:2::AAPL", 0, -1) == [b"zenith:2::AAPL:new"]
    assert 0 < redis.client.ttl("zenith:2::AAPL") <= 1


def test_stats_are_those_of_all_processes(redis, cache):
    other = RedisCache(redis.url, 60, LocalCache(60))
    cache.put("AAPL", "key", b'{"value":1}')
    for one in (cache, other, other):
        one.get("AAPL", "key", Kept)
        one.get("MSFT", "key", Kept)
    other.check()
    figures = {"entries": 1, "hits": 3, "misses": 3, "ttl": 60, "scope": "all processes"}
    assert cache.stats(["AAPL", "MSFT"]) == {"kind": "redis", "state": "ok", **figures}
    cache.check()
    assert other.stats(["AAPL", "MSFT"])["hits"] == 3


def test_without_redis_memory_is_used_and_it_is_said():
    cache = RedisCache(NOWHERE, 60, LocalCache(60))
    cache.check()
    cache.put("AAPL", "key", b'{"value":1}')
    assert cache.get("AAPL", "key", Kept) == b'{"value":1}'
    assert cache.state() == {**AWAY, "entries": 1}
    assert cache.stats(["AAPL"]) == {**AWAY, "entries": 1, "hits": 1, "misses": 0, "ttl": 60, "scope": "this process"}
    with pytest.raises(CacheUnavailable):
        cache.forget("AAPL")
    assert cache.get("AAPL", "key", Kept) is None


def test_a_redis_that_hangs_is_waited_for_once_until_it_is_back(redis, cache):
    cache.put("AAPL", "key", b'{"value":1}')
    redis.hang()
    start = time.perf_counter()
    assert cache.get("AAPL", "key", Kept) is None
    once = time.perf_counter() - start
    for _ in range(100):
        cache.put("AAPL", "key", b'{"value":2}')
        assert cache.get("AAPL", "key", Kept) == b'{"value":2}'
    assert time.perf_counter() - start - once < 50 * REDIS_TIMEOUT_SECONDS  # 200 calls, none of which waited
    assert cache.state() == {**AWAY, "entries": 1}

    redis.go_on()
    cache.check()

    assert cache.get("AAPL", "key", Kept) == b'{"value":1}'
    redis.hang()
    assert cache.get("AAPL", "key", Kept) is None  # the answers kept in memory meanwhile were dropped
    redis.go_on()


def test_a_redis_that_is_killed_costs_no_answer(redis, cache):
    cache.put("AAPL", "key", b'{"value":1}')
    redis.kill()
    assert cache.get("AAPL", "key", Kept) is None
    cache.put("AAPL", "key", b'{"value":2}')
    assert cache.get("AAPL", "key", Kept) == b'{"value":2}'
    redis.start()
    cache.check()
    assert cache.state() == {"kind": "redis", "state": "ok"}


def fill(redis):
    redis.client.config_set("maxmemory", "1")
    return lambda: redis.client.config_set("maxmemory", "0")


def make_read_only(redis):
    redis.client.replicaof("127.0.0.1", "1")
    return lambda: redis.client.replicaof("NO", "ONE")


@pytest.mark.parametrize(("refuse", "reason"), [(fill, "maxmemory"), (make_read_only, "read only replica")])
def test_a_redis_that_refuses_writes_is_reported_within_a_check_and_memory_takes_over(redis, cache, refuse, reason):
    accept = refuse(redis)
    cache.check()  # no answer was written yet
    state = cache.state()
    assert (state["kind"], state["state"]) == ("in-process", "redis refuses, in-process instead")
    assert reason in state["detail"]
    cache.put("AAPL", "key", b'{"value":1}')
    assert cache.get("AAPL", "key", Kept) == b'{"value":1}'
    with pytest.raises(CacheUnavailable):
        cache.forget()
    accept()
    cache.check()
    assert cache.state() == {"kind": "redis", "state": "ok"}


def test_the_reason_of_a_refusal_holds_no_answer(redis, cache):
    fill(redis)
    cache.put("AAPL", "key", b'{"value":12345}')
    assert "maxmemory" in cache.state()["detail"]
    assert "12345" not in cache.state()["detail"]


def test_a_database_that_redis_does_not_have_is_reported(redis):
    cache = RedisCache(f"{redis.url}?db=99", 60, LocalCache(60))
    cache.check()
    cache.put("AAPL", "key", b'{"value":1}')
    assert cache.get("AAPL", "key", Kept) == b'{"value":1}'
    assert "in-process instead" in cache.state()["state"]
