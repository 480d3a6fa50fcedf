"""The client of a request, for rate limits and logs: a key or an address."""

import ipaddress
from functools import lru_cache
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.types import Scope

from zenith_serving.security.authentication import KeyRing, presented_key

CALLER = "zenith.caller"  # key of the cached caller in a scope


class Caller(NamedTuple):
    """A client. `kind` is "loopback", "remote" or "key 1", and may be logged; limits count by `name`."""

    kind: str
    name: str


def caller_of(scope: Scope, keys: KeyRing) -> Caller:
    """Identify the caller by a valid key, else by address; once for each request.

    The address is that of the connection, or the one forwarded by a proxy in `FORWARDED_ALLOW_IPS`.
    """
    caller: Caller | None = scope.get(CALLER)
    if caller is None:
        caller = scope[CALLER] = _by_key(scope, keys) or _by_address((scope.get("client") or ("",))[0])
    return caller


def _by_key(scope: Scope, keys: KeyRing) -> Caller | None:
    key = presented_key(Headers(scope=scope)) if keys else None
    position = None if key is None else keys.find(key)
    return None if position is None else Caller(f"key {position + 1}", f"key {position + 1}")


@lru_cache(maxsize=4096)
def _by_address(host: str) -> Caller:
    """Identify by address; IPv6 by its first 64 bits, because one client has all addresses below them."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return Caller("remote", "unknown")
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_loopback:
        return Caller("loopback", "loopback")
    if address.version == 6:
        return Caller("remote", str(ipaddress.ip_network((int(address) >> 64 << 64, 64))))
    return Caller("remote", str(address))
