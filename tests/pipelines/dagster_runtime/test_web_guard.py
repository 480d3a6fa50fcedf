"""Requests that other web pages can cause, sent to the real webserver on loopback behind its guard."""

import threading
import time
from contextlib import contextmanager

import dagster as dg
import httpx
import pytest
import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.waiting import PATIENCE
from zenith_pipelines.dagster_runtime.web_guard import WebGuard

pytestmark = pytest.mark.slow

ADD = (
    'mutation{addDynamicPartition(partitionsDefName:"tickers",partitionKey:"EVIL",repositorySelector:{%s}){__typename}}'
)
ADD %= 'repositoryName:"__repository__",repositoryLocationName:"zenith"'
QUERY = {"query": "{version}"}
OTHER_PAGES = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:8000"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
]
LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@contextmanager
def served(app):
    """The address of an application on loopback."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def address():
    from dagster_webserver.app import create_app_from_workspace_process_context  # a second to import

    with (
        dg.instance_for_test() as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget(), version="1") as context,
        served(WebGuard(create_app_from_workspace_process_context(context), {"dagster.example"})) as address,
    ):
        yield address


@pytest.fixture(scope="module")
def client(address):
    with httpx.Client(base_url=f"http://{address}", timeout=PATIENCE) as client:
        yield client


@pytest.mark.parametrize("headers", OTHER_PAGES)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/graphql"),
        ("GET", "/graphql"),
        ("POST", "/report_asset_materialization/raw_prices"),
        ("GET", "/logs/a"),
        ("GET", "/server_info"),
    ],
)
def test_pages_of_other_sites_are_refused_by_every_route(client, method, path, headers):
    answer = client.request(method, path, headers=headers, json=QUERY if method == "POST" else None)

    assert (answer.status_code, answer.text) == (403, "a page of another site may not use Dagster\n")


@pytest.mark.parametrize("headers", [{}, *OTHER_PAGES, LINK, {"accept": "application/json"}])
@pytest.mark.parametrize("query", [ADD, "{version}"])
def test_no_query_is_answered_by_get(client, headers, query):
    answer = client.get("/graphql", params={"query": query}, headers=headers)

    assert answer.status_code in (403, 405)
    assert "__typename" not in answer.text


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_query_in_a_form_is_refused(client, kind):
    answer = client.post("/graphql", params={"query": ADD}, headers={"content-type": kind})

    assert (answer.status_code, answer.text) == (415, "GraphQL is sent as application/json\n")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "192.0.2.1", "", "[::"]
)
@pytest.mark.parametrize("path", ["/", "/graphql", "/server_info"])
def test_a_foreign_host_name_is_refused(client, host, path):
    answer = client.get(path, headers={"host": host, "accept": "text/html"})

    assert answer.status_code == 403
    assert "ZENITH_DAGSTER_HOSTS" in answer.text


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:3000", "127.0.0.1", "127.8.8.8:1", "[::1]:3000", "dagster.example:80"]
)
def test_programs_and_the_own_page_are_answered_under_each_of_the_names(client, host):
    for headers in ({}, {"origin": f"http://{host}", "sec-fetch-site": "same-origin"}):
        answer = client.post("/graphql", json=QUERY, headers={"host": host, **headers})

        assert answer.json() == {"data": {"version": "1"}}


@pytest.mark.parametrize("path", ["/", "/runs/1", "/graphql"])
def test_a_link_from_another_site_opens_a_page(client, path):
    answer = client.get(path, headers={**LINK, "accept": "text/html"})

    assert answer.status_code == 200
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert "<html" in answer.text


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:8000", "null"])
def test_a_websocket_of_another_site_is_refused(address, origin):
    with pytest.raises(InvalidStatus) as failure, connect(f"ws://{address}/graphql", origin=origin):
        pass

    assert failure.value.response.status_code == 403


def test_a_websocket_of_the_own_page_is_accepted(address):
    with connect(f"ws://{address}/graphql", origin=f"http://{address}", subprotocols=["graphql-ws"]) as socket:
        socket.send('{"type": "connection_init"}')

        assert socket.recv() == '{"type":"connection_ack"}'
