"""The address of the Dagster UI: it opens at the graph, with every group open."""

import pytest
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse

from zenith_pipelines.dagster_runtime.webserver import GROUPS, OpenGroups
from zenith_pipelines.definitions import defs


@pytest.fixture
def client():
    return TestClient(OpenGroups(PlainTextResponse("the UI")), follow_redirects=False)


@pytest.mark.parametrize("path", ["/", "/asset-groups", "/asset-groups/"])
def test_the_ui_opens_at_the_graph_with_every_group_open(client, path):
    answer = client.get(path)

    assert answer.status_code == 307
    address, _, groups = answer.headers["location"].partition("?expanded=")
    assert address == "/asset-groups"
    assert groups.split("%2C") == [f"global%40global%3A{group}" for group in GROUPS]


@pytest.mark.parametrize("path", ["/asset-groups?expanded=", "/asset-groups?x=1", "/runs", "/assets/lstm_model"])
def test_every_other_address_is_dagsters(client, path):
    assert client.get(path).text == "the UI"


def test_graphql_is_passed_on(client):
    assert client.post("/", json={}).text == "the UI"


def test_the_groups_are_those_of_the_assets():
    assert set(GROUPS) == {spec.group_name for spec in defs.resolve_all_asset_specs()}
