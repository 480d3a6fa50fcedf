"""Authentication of requests that change something: by `ZENITH_API_KEYS`, or without keys by loopback address.

    @router.delete("/cache", dependencies=[Depends(require_key)])

The choices are in docs/decisions/0026-keys-and-limits.md.
"""

import hmac
from collections.abc import Iterable
from hashlib import sha256
from http import HTTPStatus
from ipaddress import ip_address
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from zenith_core.same_site import host_name, is_from_other_site, is_loopback
from zenith_serving.errors import CrossSite, KeyMissing, KeyWrong
from zenith_serving.problem_details import error_response
from zenith_serving.settings import Settings

KEY_HEADER = "X-API-Key"
KEY_STATUSES = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_BEARER = HTTPBearer(scheme_name="Bearer", description="Authorization: Bearer KEY", auto_error=False)
_HEADER = APIKeyHeader(name=KEY_HEADER, scheme_name=KEY_HEADER, description=f"{KEY_HEADER}: KEY", auto_error=False)


class KeyRing:
    """The valid keys; several, so that one can be replaced without an outage. Those of `read_only` change nothing."""

    def __init__(self, keys: Iterable[SecretStr], read_only: Iterable[SecretStr] = ()) -> None:
        self._digests = [_digest(key.get_secret_value().encode()) for key in keys]
        self._first_read_only = len(self._digests)
        self._digests += [_digest(key.get_secret_value().encode()) for key in read_only]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def find(self, key: bytes) -> int | None:
        """Return the position of a key, or None. Takes constant time."""
        digest = _digest(key)
        match = None
        for position, valid_digest in enumerate(self._digests):
            if hmac.compare_digest(digest, valid_digest):
                match = position
        return match

    def check(self, headers: Headers, *, to_change: bool) -> None:
        """Raise KeyMissing or KeyWrong unless the headers carry a valid key, and one that may change something."""
        key = presented_key(headers)
        if key is None:
            raise KeyMissing
        position = self.find(key)
        if position is None:
            raise KeyWrong
        if to_change and position >= self._first_read_only:
            raise KeyWrong("this key may only read")


def open_keys(settings: Settings) -> KeyRing:
    """Return the keys of the settings."""
    return KeyRing(settings.zenith_api_keys, settings.zenith_read_only_keys)


def presented_key(headers: Headers) -> bytes | None:
    """Return the key in a request's headers, as the bytes that were sent, or None."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else headers.get(KEY_HEADER, "")
    return key.encode("latin-1") or None  # as ASGI decodes headers


async def require_key(
    request: Request,
    _bearer: Annotated[object, Security(_BEARER)],  # for the OpenAPI document only, as is the next
    _header: Annotated[object, Security(_HEADER)],
) -> None:
    """Require a valid key or, if no keys are configured, a request from this machine.

    Raises KeyMissing (401), KeyWrong (403) or CrossSite (403).
    """
    keys: KeyRing = request.app.state.keys
    if keys:
        keys.check(request.headers, to_change=True)
    else:
        refuse_other_machines(request.client.host if request.client else "")
        refuse_other_sites(request.headers, request.app.state.settings.cors_origins)


def refuse_other_machines(address: str) -> None:
    """Raise CrossSite for a caller on another machine: behind a local proxy, its Host header proves nothing.

    An address that is no IP address (a socket file) belongs to this machine.
    """
    try:
        is_remote = not ip_address(address).is_loopback
    except ValueError:
        return
    if is_remote:
        raise CrossSite


def refuse_other_sites(headers: Headers, allowed_origins: Iterable[str]) -> None:
    """Raise CrossSite if a page of another site may have sent the request.

    The Host must be a loopback address, against DNS rebinding. A browser sends an Origin with every request but GET and
    HEAD; it must be that host or one of `CORS_ORIGINS`.
    """
    host, origin = headers.get("host", ""), headers.get("origin", "")
    if origin and origin in allowed_origins:
        return
    if not is_loopback(host_name(host)) or is_from_other_site(host, origin, headers.get("sec-fetch-site", "")):
        raise CrossSite


class ReadKeys:
    """Requires a key for all paths under `prefixes` (`ZENITH_READ_KEYS`), except CORS preflights, which carry none."""

    def __init__(self, app: ASGIApp, keys: KeyRing, prefixes: tuple[str, ...]) -> None:
        self._app = app
        self._keys = keys
        self._prefixes = prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401 or 403."""
        app = self._app
        if scope["type"] == "http" and scope["method"] != "OPTIONS" and scope["path"].startswith(self._prefixes):
            try:
                self._keys.check(Headers(scope=scope), to_change=False)
            except (KeyMissing, KeyWrong) as error:
                app = error_response(error)
        await app(scope, receive, send)


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()  # all of one length, so that comparing does not reveal a key's length
