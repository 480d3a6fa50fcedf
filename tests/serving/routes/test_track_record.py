import pytest
from fastapi.testclient import TestClient

from tests.published import publish
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
