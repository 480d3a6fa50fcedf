import socket
import time

import pytest
from pydantic import BaseModel

from zenith_serving.cache import REDIS_TIMEOUT_SECONDS, LocalCache, RedisCache, open_cache
from zenith_serving.settings import Settings


class Kept(BaseModel):
    value: int


class Other(BaseModel):
    text: str


class FakeServer:
    """What RedisCache uses of a Redis client."""

    def __init__(self):
        self.values = {}

    def get(self, key):
        return self.values.get(key)

    def set(self, key, value, ex):
        self.values[key] = value
        self.expiry = ex


def test_memory_is_used_unless_redis_is_named():
    assert isinstance(open_cache(Settings(redis_url=None)), LocalCache)
    assert isinstance(open_cache(Settings(redis_url="redis://127.0.0.1:1/0")), RedisCache)


def test_memory_gives_back_what_was_put_as_long_as_it_lives():
    cache = LocalCache(ttl=0.05)
    answer = Kept(value=1)
    cache.put("key", answer)
    assert cache.get("key", Kept) is answer
    assert cache.get("key", Other) is None
    assert cache.get("other", Kept) is None
    time.sleep(0.06)
    assert cache.get("key", Kept) is None


def test_memory_is_bounded():
    cache = LocalCache(ttl=60, capacity=2)
    for number in range(5):
        cache.put(str(number), Kept(value=number))
    assert cache.state() == {"kind": "in-process", "state": "ok", "entries": 2}


@pytest.fixture
def redis(monkeypatch):
    server = FakeServer()
    cache = RedisCache("redis://127.0.0.1:1/0", 60, LocalCache(60))
    monkeypatch.setattr(cache, "_redis", server)
    return server, cache


def test_redis_holds_json_with_an_expiry(redis):
    server, cache = redis
    cache.put("key", Kept(value=1))
    assert server.values == {"zenith:1::key": '{"value":1}'}
    assert server.expiry == 60
    assert cache.get("key", Kept) == Kept(value=1)
    assert cache.state() == {"kind": "redis", "state": "ok"}


@pytest.mark.parametrize("garbage", [b"", b"\x80\x04K\x01.", b"[]", b'{"value": "x"}', b'{"value": NaN}'])
def test_garbage_in_redis_is_passed_over(redis, garbage):
    server, cache = redis
    server.values["zenith:1::key"] = garbage
    assert cache.get("key", Kept) is None


def test_without_redis_memory_is_used_and_it_is_said():
    cache = RedisCache("redis://127.0.0.1:1/0", 60, LocalCache(60))
    cache.check()
    cache.put("key", Kept(value=1))
    assert cache.get("key", Kept) == Kept(value=1)
    assert cache.state() == {"kind": "in-process", "state": "redis away, in-process instead", "entries": 1}


def test_a_redis_that_hangs_costs_its_timeout_and_no_more():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cache = RedisCache(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", 60, LocalCache(60))
        started = time.perf_counter()
        assert cache.get("key", Kept) is None
        assert time.perf_counter() - started < 10 * REDIS_TIMEOUT_SECONDS
    assert "away" in cache.state()["state"]


def test_memory_forgets_when_a_new_generation_begins(tmp_path):
    file = tmp_path / "generation"
    cache = LocalCache(60, generation=file)
    cache.put("key", Kept(value=1))
    cache.check()
    assert cache.get("key", Kept) == Kept(value=1)

    file.write_text("2")
    cache.check()

    assert cache.get("key", Kept) is None
    cache.put("key", Kept(value=3))
    cache.check()
    assert cache.get("key", Kept) == Kept(value=3)


def test_answers_of_another_generation_are_never_asked_for(redis):
    server, cache = redis
    server.values["zenith:generation"] = b"1"
    cache.put("key", Kept(value=1))
    server.values["zenith:generation"] = b"2"
    assert cache.get("key", Kept) == Kept(value=1)  # not looked yet

    cache.check()

    assert cache.get("key", Kept) is None
    assert server.values["zenith:1:1:key"] == '{"value":1}'
