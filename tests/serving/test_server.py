import socket

import pytest

from tests.waiting import PATIENCE
from zenith_core.errors import UserError
from zenith_serving.server import bind, require_keys_beyond_loopback, serve
from zenith_serving.settings import Settings


def test_bind_listens_on_a_free_port():
    with bind("127.0.0.1", 0) as listener:
        socket.create_connection(listener.getsockname(), timeout=PATIENCE).close()


def test_a_busy_port_is_refused_with_its_number_before_anything_is_loaded(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} on 127.0.0.1 is busy: .* --port"):
            serve("127.0.0.1", port, Settings(zenith_home=tmp_path))


@pytest.mark.parametrize("port", [-1, 65536, 10**12])
def test_an_impossible_port_is_refused(port):
    with pytest.raises(UserError, match=f"no port {port}: .* --port"):
        bind("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(UserError, match="192.0.2.1 is not an address of this machine"):
        bind("192.0.2.1", 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_beyond_loopback_a_key_is_required(host):
    with pytest.raises(UserError, match="ZENITH_API_KEYS"):
        require_keys_beyond_loopback(host, Settings(zenith_api_keys=""))
    require_keys_beyond_loopback(host, Settings(zenith_api_keys="key"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_on_loopback_no_key_is_needed(host):
    require_keys_beyond_loopback(host, Settings(zenith_api_keys=""))
