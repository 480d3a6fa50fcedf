import pytest
from fastapi.testclient import TestClient

from tests.published import publish
from tests.serving.conftest import make_snapshot
from zenith_serving.app import create_app

ROW = {
    **{"origin": "2026-11-20", "horizon": 1, "target_date": "2026-11-23", "made_at": "2026-11-20T22:00:00+00:00"},
    **{"close": 100.0, "forecast": 101.0, "lower": 95.0, "upper": 107.0, "actual": None},
    **{"model_type": "lstm", "model_version": "3", "in_the_open": True},
}
NOTHING = {"matured": 0, "coverage": None, "mae": None, "mae_naive": None}
RECORD = {"forecasts": [ROW], "summary": {"1": {**NOTHING, "matured": 2, "coverage": 0.5}, "5": NOTHING, "20": NOTHING}}


@pytest.fixture
def client(settings):
    with TestClient(create_app(settings, poll_seconds=3600), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def write(home):
    def write(ticker, facts):
        return publish(home, "forecast_ledger", ticker, facts)

    return write


def test_the_track_record_is_what_the_pipelines_wrote(client, write):
    write("AAPL", {"forecast": 1.0, "track_record": RECORD})

    answer = client.get("/api/v1/ml/track-record/aapl").json()

    assert answer.pop("ticker") == "AAPL"
    assert answer["forecasts"] == [{**ROW, "made_at": "2026-11-20T22:00:00Z"}]
    assert answer["summary"] == RECORD["summary"]


def test_the_evidence_is_judged_beside_that_of_all_ledgers(client, write):
    write("AAPL", {"track_record": RECORD, "evidence": {"1": {"log_e_value": 3.5264, "since": "2026-05-04"}}})
    write("IBM", {"track_record": RECORD})
    address = "/api/v1/ml/track-record/AAPL"
    alone = {"e_value": 34.0, "since": "2026-05-04", "required": 40.0, "discovered": False}

    client.app.state.universe.check()  # the watcher may have looked before both were there
    first = client.get(address).json()["evidence"]
    write("IBM", {"track_record": RECORD, "evidence": {"1": {"log_e_value": 9.0, "since": "2026-05-04"}}})
    client.app.state.universe.check()
    second = client.get(address).json()["evidence"]

    says = "34 to 1 since May 2026; the first claim among 2 tickers asks 40 to 1"
    assert first == {"1": {**alone, "says": says}}
    assert second["1"]["discovered"]  # with another claim beside it, 20 to 1 is enough
    assert second["1"]["required"] == 20


def test_a_ledger_of_an_earlier_release_has_no_evidence_yet(client, write):
    write("AAPL", {"track_record": RECORD})

    assert client.get("/api/v1/ml/track-record/AAPL").json()["evidence"] == {}


def test_a_ticker_without_forecasts_is_404_with_those_that_are_near(client, write):
    write("AAPL", {"track_record": RECORD})

    answer = client.get("/api/v1/ml/track-record/AAPX")

    assert (answer.status_code, answer.json()["nearby"]) == (404, ["AAPL"])


@pytest.mark.parametrize("facts", [{"forecast": 1.0}, {"track_record": {"forecasts": [{}], "summary": {}}}, []])
def test_a_ledger_without_a_track_record_is_503_that_says_what_to_do(client, write, facts):
    write("AAPL", facts)

    answer = client.get("/api/v1/ml/track-record/AAPL")

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:zenith:problem:data-unreadable")
    assert "materialize it again" in answer.json()["detail"]


def test_a_file_that_is_no_json_is_503(client, write):
    write("AAPL", {}).write_text("{")

    assert client.get("/api/v1/ml/track-record/AAPL").status_code == 503


@pytest.mark.parametrize("ticker", ["%2e%2e", "..%2f..%2fetc", "AAPL%00", "AAPL,MSFT", "A" * 5_000])
def test_what_is_no_ticker_is_refused_and_not_echoed(client, ticker):
    answer = client.get(f"/api/v1/ml/track-record/{ticker}")

    assert answer.status_code in (404, 422)
    assert len(answer.content) < 1024
    assert "AAPL," not in answer.text


FORECAST = {
    **{"made_at": "2013-02-28T22:00:00+00:00", "origin": "2013-02-28", "close": 99.0, "forecast": 100.0},
    **{"lower": 95.0, "upper": 105.0, "version": 1, "volatility": 0.01, "signal": "hold", "probability": 0.4},
    **{"reason": "low_confidence", "signal_version": 1, "scale_version": "prior"},
}
NEWEST = {**FORECAST, "made_at": "2013-03-01T22:00:00+00:00", "origin": "2013-03-01", "close": 100.0, "version": 2}


@pytest.fixture
def explained(client, home, write):
    publish(home, "serving_snapshot", "AAPL", make_snapshot("AAPL").to_json())
    client.app.state.registry = Decisions()

    def explained(*forecasts, query=""):
        write("AAPL", {"track_record": RECORD, **({"horizon": 5, "served": forecasts} if forecasts else {})})
        return client.get(f"/api/v1/ml/explain/aapl{query}")

    return explained


class Decisions:
    """A registry with a refusal of each kind after the first forecast."""

    def decisions(self, ticker=None):
        refusal = {"version": 3, "outcome": "refused", "reason": "loss: +9.0%", "at": "2013-03-01T02:00:00.000000Z"}
        return {f"lstm-{ticker}": [refusal]}


def test_the_newest_forecast_is_explained_beside_the_one_before(explained):
    answer = explained(FORECAST, NEWEST).json()

    assert (answer["ticker"], answer["horizon"], answer["now"]["version"]) == ("AAPL", 5, 2)
    assert [change["says"] for change in answer["changes"]][:2] == [
        "1 new session: the close went from 99.00 to 100.00 (+1.0%).",
        "lstm version 2 answers instead of version 1.",
    ]
    assert answer["changes"][-1]["says"] == "lstm version 3 was refused 2013-03-01: loss: +9.0%."


def test_the_first_forecast_has_none_before_it(explained):
    answer = explained(NEWEST).json()

    assert (answer["now"]["version"], answer["before"]) == (2, None)
    assert [change["says"] for change in answer["changes"]] == [
        "This is the first forecast, made on 2013-03-01: there is none before to compare it with."
    ]


@pytest.mark.parametrize(
    ("forecasts", "query", "status", "kind"),
    [
        ((), "", 404, "no-earlier-forecast"),  # of an earlier release
        ((NEWEST,), "", 200, None),
        ((NEWEST,), "?since=2013-02-28", 404, "no-earlier-forecast"),
        ((FORECAST, NEWEST), "?since=2013-02-27", 404, "no-earlier-forecast"),
        ((FORECAST, NEWEST), "?since=2013-02-28", 200, None),
        ((FORECAST, NEWEST), "?since=yesterday", 422, "invalid-request"),
        ((FORECAST, NEWEST), "?until=2013-02-28", 422, "invalid-request"),
        (({"close": 1.0}, NEWEST), "", 503, "data-unreadable"),
    ],
)
def test_without_an_earlier_forecast_there_is_a_reason(explained, forecasts, query, status, kind):
    answer = explained(*forecasts, query=query)

    assert (answer.status_code, answer.json().get("type", "").removeprefix("urn:zenith:problem:") or None) == (
        status,
        kind,
    )
