"""The pipelines' job makes serving processes forget; on a real Redis, which pip brings."""

import json

import pytest
from pydantic import BaseModel

from zenith_cli.job import run_named
from zenith_core.errors import UserError
from zenith_pipelines.production.cache_invalidation import clear_predictions
from zenith_pipelines.settings import Settings as PipelinesSettings
from zenith_serving.prediction.cache import LocalCache
from zenith_serving.prediction.predictor import open_cache
from zenith_serving.prediction.redis_cache import RedisCache
from zenith_serving.settings import Settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated"),  # Dagster's, of itself
]


class Kept(BaseModel):
    value: int


@pytest.fixture
def caches(monkeypatch, tmp_path):
    """Make the caches of two serving processes, and the pipelines' settings; all know the same home and Redis."""
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    def make(url=None):
        if url:
            monkeypatch.setenv("REDIS_URL", url)
        else:
            monkeypatch.delenv("REDIS_URL", raising=False)
        return open_cache(Settings()), open_cache(Settings())

    return make


def answers(caches):
    for cache in caches:
        cache.check()  # as serving's watcher does every two seconds
    return [cache.get("AAPL", "key", Kept) for cache in caches]


def test_the_answers_that_processes_share_in_redis_are_forgotten_by_all(caches, redis):
    both = caches(redis.url)
    assert isinstance(both[0], RedisCache)
    both[0].put("AAPL", "key", b'{"value":1}')
    assert answers(both) == [b'{"value":1}', b'{"value":1}']

    generation = clear_predictions(PipelinesSettings())

    assert answers(both) == [None, None]
    assert redis.client.get("zenith:generation") == generation.encode()
    both[1].put("AAPL", "key", b'{"value":2}')
    assert answers(both) == [b'{"value":2}', b'{"value":2}']


def test_a_process_that_starts_after_the_clearing_does_not_meet_old_answers(caches, redis):
    url = redis.url
    before, _ = caches(url)
    before.put("AAPL", "key", b'{"value":1}')
    clear_predictions(PipelinesSettings())

    after, _ = caches(url)

    assert after.get("AAPL", "key", Kept) is None  # without a watcher, as `zenith predict` has none


def test_answers_in_each_process_are_forgotten_by_the_job(caches, capsys):
    both = caches()
    assert isinstance(both[0], LocalCache)
    for cache in both:
        cache.put("AAPL", "key", b'{"value":1}')
    assert answers(both) == [b'{"value":1}', b'{"value":1}']

    assert run_named("clear_prediction_cache", None, [], None, as_json=True) == 0

    assert answers(both) == [None, None]
    document = json.loads(capsys.readouterr().out)
    assert (document["job"], document["status"]) == ("clear_prediction_cache", "ok")


def test_a_redis_that_is_away_is_named_without_its_password(caches):
    caches("redis://:secret@127.0.0.1:1/0")

    with pytest.raises(UserError, match=r"REDIS_URL cannot be reached \(ConnectionError\)") as error:
        clear_predictions(PipelinesSettings())

    assert "secret" not in str(error.value)
