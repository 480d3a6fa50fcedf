import pytest
from fastapi.testclient import TestClient

from tests.published import publish_claims
from zenith_serving.app import create_app
from zenith_serving.errors import RegistryUnavailable
from zenith_serving.registry.base import KnownVersion

DECISION = {
    **{"version": 2, "outcome": "rolled back", "previous": 3, "data_end": "2026-11-20", "reason": "it was wrong"},
    **{"by": "ana@desk", "at": "2026-11-21T02:00:00.000000Z"},
    "gates": [{"gate": "answers", "passed": True, "says": "finite answers", "figures": {"n": 1}}],
}


class FakeRegistry:
    def __init__(self):
        self.is_down = False

    def names(self, ticker=None):
        return list({version.name: None for version in self.versions(ticker)})

    def versions(self, ticker=None, names=None):
        if self.is_down:
            raise RegistryUnavailable("the MLflow server cannot be reached")
        tags = {"data_end": "2026-11-20", "decision": "rolled back", "trials": "7"}
        metrics = {"mae": 0.02, "mae_random_walk": 0.03, "beats_naive": 1.0, "coverage": None}
        versions = [
            KnownVersion("lstm-AAPL", 2, 1_795_533_434_687, frozenset({"Production"}), tags, metrics),
            KnownVersion("ensemble-AAPL", 10, 1_795_533_434_687),
            KnownVersion("ensemble-AAPL", 9, 1_795_533_434_687, frozenset({"Candidate"})),
            KnownVersion("lstm-../etc", 1, 0),
            KnownVersion("lstm", 1, 0),
        ]
        return [
            version
            for version in versions
            if version.name.endswith(f"-{ticker or ''}" if ticker else "") and version.name in (names or [version.name])
        ]

    def decisions(self, ticker=None):
        return {"lstm-AAPL": [DECISION]} if ticker == "AAPL" else {}


@pytest.fixture
def client(settings):
    app = create_app(settings)
    app.state.registry = FakeRegistry()
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def get(client, path, status=200):
    answer = client.get(f"/api/v1/ml/{path}")
    assert answer.status_code == status, answer.text
    return answer.json()


def test_versions_are_listed_with_status_tags_and_metrics(client):
    versions = get(client, "models")["models"]

    assert [(one["name"], one["version"], one["status"]) for one in versions] == [
        ("lstm-AAPL", "2", "production"),
        ("ensemble-AAPL", "10", "archived"),
        ("ensemble-AAPL", "9", "candidate"),
    ]
    lstm = versions[0]
    assert (lstm["data_end"], lstm["trials"], lstm["decision"]) == ("2026-11-20", 7, "restored")
    assert lstm["beats_naive"] is True
    assert lstm["metrics"] == {"loss": "mae", "value": 0.02, "naive": 0.03, "beats_naive": True, "coverage": None}
    assert lstm["metrics"]["beats_naive"] is True
    assert (versions[1]["beats_naive"], versions[1]["decision"], versions[1]["data_version"]) == (None, None, None)


def test_the_version_that_answers_has_its_evidence_as_it_is_now(client, home):
    assert [one["evidence"] for one in get(client, "models")["models"]][1:] == [None, None]  # not in Production
    publish_claims(home, "AAPL")
    lstm = get(client, "models?limit=1")["models"][0]
    assert (lstm["evidence"]["e_value"], lstm["evidence"]["discovered"]) == (5000, True)


def test_versions_are_filtered_by_query(client):
    path = "models?ticker=aapl&model_type=ensemble&status=candidate"
    assert [one["version"] for one in get(client, path)["models"]] == ["9"]
    assert get(client, "models?ticker=MSFT")["models"] == []


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("filters", ["", "&ticker=AAPL", "&model_type=ensemble", "&status=candidate"])
def test_pages_have_the_same_versions_as_the_whole_list(client, limit, filters):
    pages, after = [], ""
    while after is not None:
        page = get(client, f"models?limit={limit}{filters}{after}")
        pages.append(page["models"])
        after = page["next"] and f"&after={page['next']}"

    whole = get(client, f"models?{filters[1:]}")
    assert [one for page in pages for one in page] == whole["models"]
    assert whole["next"] is None
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert 1 <= len(pages[-1]) <= limit


def test_a_page_begins_after_a_version_that_was_deleted(client):
    names = [(one["name"], one["version"]) for one in get(client, "models?limit=5&after=lstm-AAPL/1")["models"]]
    assert names == [("ensemble-AAPL", "10"), ("ensemble-AAPL", "9")]


def test_an_unchanged_list_is_304(client):
    first = client.get("/api/v1/ml/models")
    assert first.headers["cache-control"] == "no-cache"

    same = client.get("/api/v1/ml/models", headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
    other = client.get("/api/v1/ml/models?limit=1", headers={"If-None-Match": first.headers["etag"]})
    assert (other.status_code, len(other.json()["models"])) == (200, 1)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=two", "after=lstm-AAPL", "after=AAPL/x"])
def test_an_invalid_page_is_422(client, query):
    problem = get(client, f"models?{query}", status=422)
    assert problem["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("query", ["ticker=../etc", "model_type=gru", "status=Production", "ticker="])
def test_an_invalid_filter_is_422_and_not_echoed(client, query):
    problem = get(client, f"models?{query}", status=422)
    assert problem["errors"][0]["field"] == query.partition("=")[0]
    assert "etc" not in str(problem)


def test_the_history_lists_decisions_with_user_and_reason(client):
    (event,) = get(client, "models/AAPL/history")["events"]

    assert event == {
        **{"at": "2026-11-21T02:00:00Z", "by": "ana@desk", "reason": "it was wrong"},
        **{"model_type": "lstm", "version": "2", "action": "rolled_back", "previous": "3"},
        "gates": [{"name": "answers", "passed": True, "detail": "finite answers", "figures": {"n": 1}}],
    }


def test_the_history_of_an_unknown_ticker_is_404_with_similar_tickers(client):
    problem = get(client, "models/AAPX/history", status=404)
    assert problem["nearby"] == ["AAPL"]


@pytest.mark.parametrize("path", ["models", "models/MSFT/history"])
def test_while_the_registry_is_unavailable_the_answer_is_503_with_retry_after(client, path):
    client.app.state.registry.is_down = True

    answer = client.get(f"/api/v1/ml/{path}")

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:zenith:problem:registry-away")
    assert int(answer.headers["retry-after"]) > 0
    assert client.get("/api/v1/ml/disclaimer").status_code == 200
