"""Middleware in front of Dagster's webserver, which itself answers any web page: docs/decisions/0046.

Refused are names of other hosts (DNS rebinding), requests that pages of other sites cause, websockets included, and
GraphQL by GET or as a form. A link to a page of the UI works from anywhere, because opening it changes nothing.
"""

from collections.abc import Collection
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketClose

from zenith_core.same_site import host_name, is_from_other_site, is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_READING = ("GET", "HEAD")
_JSON = ("application/json", "application/graphql")  # a page of another site cannot send them without asking first
_POLICY_VIOLATION = 1008

Refusal = tuple[HTTPStatus, str]


class WebGuard:
    """Refuses requests that `refusal` names. `hosts`: names under which the UI is opened, beside those of loopback."""

    def __init__(self, app: "ASGIApp", hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass the request on, or refuse it in one line."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif not (refused := refusal(scope, self._hosts)):
            await self._app(scope, receive, _unframed(send))
        elif scope["type"] == "websocket":
            await WebSocketClose(_POLICY_VIOLATION, refused[1])(scope, receive, send)
        else:
            await PlainTextResponse(f"{refused[1]}\n", refused[0])(scope, receive, send)


def refusal(scope: "Scope", hosts: Collection[str]) -> Refusal | None:
    """Return the status and reason with which a request is refused, or None."""
    headers = Headers(scope=scope)
    host, method = headers.get("host", ""), scope.get("method", "")
    name = host_name(host)
    if not is_loopback(name) and name not in hosts:
        return HTTPStatus.FORBIDDEN, "Dagster is not opened by this host name: ZENITH_DAGSTER_HOSTS may list it"
    is_other = is_from_other_site(host, headers.get("origin", ""), headers.get("sec-fetch-site", ""))
    if is_other and not (method in _READING and _opens_a_page(headers)):
        return HTTPStatus.FORBIDDEN, "a page of another site may not use Dagster"
    if scope["type"] == "http" and scope["path"].rstrip("/").endswith("/graphql"):
        return _graphql_refusal(method, headers)
    return None


def _opens_a_page(headers: Headers) -> bool:
    """Return True if the browser opens the address in a window of its own, by a link or by hand."""
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _graphql_refusal(method: str, headers: Headers) -> Refusal | None:
    """Refuse what a form or a picture of any page could send. GET opens the editor only."""
    if method == "GET" and "text/html" not in headers.get("accept", ""):
        return HTTPStatus.METHOD_NOT_ALLOWED, "GraphQL is answered by POST only"
    if method == "POST" and headers.get("content-type", "").partition(";")[0].strip().lower() not in _JSON:
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "GraphQL is sent as application/json"
    return None


def _unframed(send: "Send") -> "Send":
    """Forbid pages of other sites to show the UI in a frame, where they could steer a person's clicks."""

    async def send_with_header(message: "Message") -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["x-frame-options"] = "SAMEORIGIN"
        await send(message)

    return send_with_header
