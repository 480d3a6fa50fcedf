"""Who sends a request, as far as limits and logs have to know."""

import ipaddress
from functools import lru_cache
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.types import Scope

from zenith_serving.security.authentication import KeyRing, presented_key

CALLER = "zenith.caller"  # where in a scope the caller is kept


class Caller(NamedTuple):
    """`kind` is "loopback", "remote" or "key 1", and may be logged; `name` is whom a limit counts for."""

    kind: str
    name: str


def caller_of(scope: Scope, keys: KeyRing) -> Caller:
    """The caller by a valid key, else by the address; found out once for each request.

    The address is that of the connection, or what a proxy named in `FORWARDED_ALLOW_IPS` says.
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
    """Of IPv6 the first 64 bits count: whoever has one address there has all."""
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
