import time

import pytest
from pydantic import BaseModel

from zenith_serving.prediction.cache import LocalCache
from zenith_serving.prediction.predictor import open_cache
from zenith_serving.prediction.redis_cache import RedisCache
from zenith_serving.settings import Settings


class Kept(BaseModel):
    value: int


def test_memory_is_used_unless_redis_is_named():
    assert isinstance(open_cache(Settings(redis_url=None)), LocalCache)
    assert isinstance(open_cache(Settings(redis_url="redis://127.0.0.1:1/0")), RedisCache)


def test_memory_gives_back_what_was_put_as_long_as_it_lives():
    cache = LocalCache(ttl=0.05)
    cache.put("AAPL", "key", b"1")
    assert cache.get("AAPL", "key", Kept) == b"1"
    assert cache.get("AAPL", "other", Kept) is None
    assert cache.get("MSFT", "key", Kept) is None
    time.sleep(0.06)
    assert cache.get("AAPL", "key", Kept) is None


def test_memory_is_bounded_in_tickers_and_in_each_ticker_s_answers():
    cache = LocalCache(ttl=60, tickers=2, answers=3)
    for ticker in ("A", "B", "C"):
        for number in range(5):
            cache.put(ticker, str(number), b"1")
    assert cache.state() == {"kind": "in-process", "state": "ok", "entries": 6}
    assert cache.get("A", "4", Kept) is None
    assert [number for number in range(5) if cache.get("C", str(number), Kept)] == [2, 3, 4]


def test_one_ticker_is_forgotten_and_the_others_stay():
    cache = LocalCache(60)
    for ticker in ("AAPL", "MSFT"):
        cache.put(ticker, "key", b"1")
    cache.forget("AAPL")
    cache.forget("IBM")
    assert (cache.get("AAPL", "key", Kept), cache.get("MSFT", "key", Kept)) == (None, b"1")
    cache.forget()
    assert cache.get("MSFT", "key", Kept) is None


def test_stats_count_what_was_found_and_what_was_not():
    cache = LocalCache(60)
    cache.put("AAPL", "key", b"1")
    for key in ("key", "key", "other"):
        cache.get("AAPL", key, Kept)
    cache.get("MSFT", "key", Kept)
    figures = {"entries": 1, "hits": 2, "misses": 2, "ttl": 60, "scope": "this process"}
    assert cache.stats(["AAPL"]) == {"kind": "in-process", "state": "ok", **figures}


@pytest.mark.parametrize("first", [None, "1"])
def test_memory_forgets_when_a_new_generation_begins(tmp_path, first):
    file = tmp_path / "generation"
    if first:
        file.write_text(first)
    cache = LocalCache(60, generation=file)
    cache.put("AAPL", "key", b"1")
    cache.check()
    assert cache.get("AAPL", "key", Kept) == b"1"

    file.write_text("2")
    cache.check()

    assert cache.get("AAPL", "key", Kept) is None
    cache.put("AAPL", "key", b"3")
    cache.check()
    assert cache.get("AAPL", "key", Kept) == b"3"
