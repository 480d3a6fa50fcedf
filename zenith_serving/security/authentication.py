"""Who may change something: `ZENITH_API_KEYS`, or, where there is none, whoever sits at this machine.

    @router.delete("/cache", dependencies=[Depends(require_key)])

The choices are in docs/decisions/0026-keys-and-limits.md.
"""

import hmac
from collections.abc import Iterable
from hashlib import sha256
from http import HTTPStatus
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from zenith_serving.errors import CrossSite, KeyMissing, KeyWrong
from zenith_serving.problem_details import error_response
from zenith_serving.settings import is_loopback

KEY_HEADER = "X-API-Key"
KEY_STATUSES = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_BEARER = HTTPBearer(scheme_name="Bearer", description="Authorization: Bearer KEY", auto_error=False)
_HEADER = APIKeyHeader(name=KEY_HEADER, scheme_name=KEY_HEADER, description=f"{KEY_HEADER}: KEY", auto_error=False)
_NAVIGATION = ("", "none", "same-origin")  # Sec-Fetch-Site of what no other site has caused


class KeyRing:
    """The keys that are valid now; several, so that one can be replaced without an outage."""

    def __init__(self, keys: Iterable[SecretStr]) -> None:
        self._digests = [_digest(key.get_secret_value().encode()) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def find(self, key: bytes) -> int | None:
        """The position of a key, or None. Takes the same time whichever it is, and however much of it is right."""
        digest = _digest(key)
        found = None
        for position, known in enumerate(self._digests):
            if hmac.compare_digest(digest, known):
                found = position
        return found

    def check(self, headers: Headers) -> None:
        """Raises KeyMissing or KeyWrong unless the headers of a request carry a valid key."""
        key = presented_key(headers)
        if key is None:
            raise KeyMissing
        if self.find(key) is None:
            raise KeyWrong


def presented_key(headers: Headers) -> bytes | None:
    """The key that a request carries, as the bytes that were sent, or None."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else headers.get(KEY_HEADER, "")
    return key.encode("latin-1") or None  # as ASGI decodes headers


async def require_key(
    request: Request,
    _bearer: Annotated[object, Security(_BEARER)],  # these two are declared for the OpenAPI document
    _header: Annotated[object, Security(_HEADER)],
) -> None:
    """Let a request that changes something pass only with a key; without any configured, only from this machine.

    Raises KeyMissing (401), KeyWrong (403) or CrossSite (403).
    """
    keys: KeyRing = request.app.state.keys
    if keys:
        keys.check(request.headers)
    else:
        refuse_other_machines(request.client.host if request.client else "")
        refuse_other_sites(request.headers, request.app.state.settings.cors_origins)


def refuse_other_machines(address: str) -> None:
    """Raise CrossSite for a caller on another machine, who came by a proxy on this one: its Host header proves nothing.

    What is no IP address at all (a socket file) is this machine's.
    """
    try:
        elsewhere = not ip_address(address).is_loopback
    except ValueError:
        return
    if elsewhere:
        raise CrossSite


def refuse_other_sites(headers: Headers, allowed: Iterable[str]) -> None:
    """Raise CrossSite if a page of another site may have sent the request.

    The Host must be a loopback address (else a name was rebound to it), and a browser's Origin, which it sends with
    every request but GET and HEAD, must be that same host or one that `CORS_ORIGINS` names.
    """
    host, origin = headers.get("host", ""), headers.get("origin", "")
    if origin and origin in allowed:
        return
    from_elsewhere = origin and origin.partition("://")[2] != host
    if from_elsewhere or not _names_loopback(host) or headers.get("sec-fetch-site", "") not in _NAVIGATION:
        raise CrossSite


def _names_loopback(host: str) -> bool:
    """Whether a Host header, with or without a port, is this machine."""
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


class ReadKeys:
    """Asks for a key on everything under `prefixes`, for `ZENITH_READ_KEYS`. A browser's preflight carries none."""

    def __init__(self, app: ASGIApp, keys: KeyRing, prefixes: tuple[str, ...]) -> None:
        self._app = app
        self._keys = keys
        self._prefixes = prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what carries a key, or needs none."""
        app = self._app
        if scope["type"] == "http" and scope["method"] != "OPTIONS" and scope["path"].startswith(self._prefixes):
            try:
                self._keys.check(Headers(scope=scope))
            except (KeyMissing, KeyWrong) as error:
                app = error_response(error)
        await app(scope, receive, send)


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()  # of one length, so that comparing does not tell the key's
