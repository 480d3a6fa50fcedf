"""GET /tickers and /tickers/{ticker}/chart, with and without the pipelines' files."""

import json

import pytest
from fastapi.testclient import TestClient

from tests.serving.page_state import SESSIONS, read_facts, write_charts, write_facts
from zenith_core.errors import UserError
from zenith_serving.app import create_app
from zenith_serving.jobs.dagster_client import DagsterAPI
from zenith_serving.routes.tickers import links_of
from zenith_serving.settings import Settings

TICKERS = "/api/v1/ml/tickers"


@pytest.fixture
def client(settings):
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def test_every_ticker_is_listed_with_its_last_close_and_age(client):
    summaries = client.get(TICKERS).json()["tickers"]

    assert [one["ticker"] for one in summaries] == ["AAPL", "IBM", "MSFT"]
    assert summaries[0] == {
        "ticker": "AAPL",
        "close": 100.0,
        "as_of": "2013-03-01",
        "currency": "USD",
        "unit": None,
        "exchange": None,
        "instrument": None,
        "name": None,
        "stale": True,
        "age_sessions": 30,
    }


@pytest.mark.parametrize(
    ("query", "names", "following"),
    [
        ("", ["AAPL", "IBM", "MSFT"], None),
        ("limit=2", ["AAPL", "IBM"], "IBM"),
        ("limit=2&after=IBM", ["MSFT"], None),
        ("limit=3", ["AAPL", "IBM", "MSFT"], None),
        ("limit=1&prefix=i", ["IBM"], None),
        ("stale=true&limit=1", ["AAPL"], "AAPL"),
        ("stale=false", [], None),
        ("after=B", ["IBM", "MSFT"], None),
    ],
)
def test_pages_and_filters(client, query, names, following):
    page = client.get(f"{TICKERS}?{query}").json()
    assert ([one["ticker"] for one in page["tickers"]], page["next"]) == (names, following)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "after=../x", "stale=perhaps"])
def test_an_invalid_page_is_422(client, query):
    answer = client.get(f"{TICKERS}?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, query.partition("=")[0])


def test_a_page_reads_only_its_own_snapshots(settings, client, monkeypatch):
    store, reads = client.app.state.predictor.snapshots, []
    files = store._files
    read = files.read_part
    monkeypatch.setattr(files, "read_part", lambda ticker, part: reads.append(ticker) or read(ticker, part))

    client.get(f"{TICKERS}?limit=1")

    assert reads == ["AAPL", "IBM"]  # one more tells that another page follows


def test_an_unchanged_list_is_304_until_a_snapshot_is_replaced(client, home):
    tag = client.get(TICKERS).headers["etag"]
    assert client.get(TICKERS, headers={"If-None-Match": tag}).status_code == 304

    (home / "data" / "serving_snapshot" / "IBM" / "current.json").unlink()
    answer = client.get(TICKERS, headers={"If-None-Match": tag})
    assert (answer.status_code, len(answer.json()["tickers"])) == (200, 2)


def test_the_list_names_the_kinds_of_model_with_their_options(client):
    kinds = {kind["name"]: kind for kind in client.get(TICKERS).json()["kinds"]}

    assert [(name, kind["task"], kind["title"]) for name, kind in kinds.items()] == [
        ("lstm", "price", "LSTM"),
        ("ensemble", "signal", "Ensemble"),
    ]
    assert "epochs" in kinds["lstm"]["options"]
    assert "epochs" not in kinds["ensemble"]["options"]


def test_a_ticker_whose_snapshot_cannot_be_read_is_listed_by_name(client, home):
    (home / "data" / "serving_snapshot" / "IBM" / "current.json").write_text("{")

    summaries = {one["ticker"]: one["close"] for one in client.get(TICKERS).json()["tickers"]}

    assert summaries == {"AAPL": 100.0, "IBM": None, "MSFT": 100.0}


def test_without_tickers_the_list_is_empty(tmp_path):
    with TestClient(create_app(Settings(zenith_home=tmp_path / "none", mlflow_tracking_uri=None))) as client:
        assert client.get(TICKERS).json()["tickers"] == []


@pytest.mark.parametrize(
    ("uri", "link"),
    [
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000"),
        ("https://somebody:secret@mlflow.example/base", "https://mlflow.example/base"),
        ("sqlite:////somewhere/mlflow.db", None),
        ("postgresql://zenith:secret@db/mlflow", None),
        (None, None),
    ],
)
def test_links_are_web_addresses_without_secrets(uri, link):
    links = links_of(Settings(mlflow_tracking_uri=uri, dagster_url="http://dagster.example:3000/"))

    assert (links.mlflow, links.dagster) == (link, "http://dagster.example:3000")


def test_an_address_that_is_no_server_never_becomes_a_link():
    with pytest.raises(UserError, match="MLFLOW_TRACKING_URI is not valid"):
        Settings(mlflow_tracking_uri="javascript:alert(1)")


def test_links_lead_where_browsers_find_the_two_if_that_is_elsewhere():
    inside = {"mlflow_tracking_uri": "http://mlflow:5000", "dagster_url": "http://dagster-webserver:3000"}
    links = links_of(Settings(dagster_public_url="https://dagster.example/", mlflow_public_url="", **inside))

    assert (links.mlflow, links.dagster) == ("http://mlflow:5000", "https://dagster.example")
    assert DagsterAPI("http://dagster-webserver:3000", "https://dagster.example").page("1") == (
        "https://dagster.example/runs/1"
    )


def test_a_chart_has_what_the_pipelines_wrote(client, home):
    write_charts(home, "AAPL")

    chart = client.get(f"{TICKERS}/aapl/chart").json()

    assert chart["ticker"] == "AAPL"
    assert chart["candles"] == read_facts(home, "serving_snapshot", "AAPL")["candles"]
    assert len(chart["candles"]["close"]) == SESSIONS
    assert chart["forecasts"] == read_facts(home, "lstm_backtest", "AAPL")["forecasts"]
    lstm = chart["backtests"]["lstm"]
    assert lstm["equity"] == read_facts(home, "lstm_backtest", "AAPL")["equity"]
    assert (lstm["stats"]["strategy"]["sharpe"], lstm["stats"]["buy_and_hold"]["sharpe"]) == (0.38, 0.71)
    assert (lstm["config"], lstm["model_version"]) == ({"commission": 0.001, "slippage": 0.0005}, 1)
    assert chart["backtests"]["ensemble"]["equity"]["strategy"][0] == 1.0
    assert chart["signals"]["signal"] == ["buy", "sell"]
    assert (chart["indicators"]["sma_200"][0], chart["indicators"]["rsi_14"][-1]) == (None, 50.0)


def test_indicators_of_other_data_than_the_candles_are_not_drawn(client, home):
    write_charts(home, "AAPL")
    features = read_facts(home, "indicator_features", "AAPL")
    write_facts(home, "indicator_features", "AAPL", {**features, "data_version": "before a split"})

    chart = client.get(f"{TICKERS}/AAPL/chart").json()

    assert chart["indicators"] is None
    assert chart["candles"]


def test_candles_beside_a_snapshot_change_no_prediction(client, home):
    before = client.post("/api/v1/ml/predict/price", json={"ticker": "AAPL", "use_cache": False}).json()
    write_charts(home, "AAPL")
    after = client.post("/api/v1/ml/predict/price", json={"ticker": "AAPL", "use_cache": False}).json()

    assert after["predictions"] == before["predictions"]


def test_data_of_an_older_version_have_nothing_to_draw(client, home):
    write_facts(home, "lstm_backtest", "AAPL", {"stats": {}, "config": {}})

    chart = client.get(f"{TICKERS}/AAPL/chart").json()

    nothing = dict.fromkeys(("candles", "forecasts", "indicators", "signals"))
    nothing["backtests"] = {"lstm": None, "ensemble": None}
    assert chart == {"ticker": "AAPL", **nothing}


@pytest.mark.parametrize("content", ["{", "[]", '{"facts": []}', '{"facts": {"forecasts": {"origin": 1}}}', ""])
def test_a_part_that_cannot_be_read_takes_no_other_with_it(client, home, content):
    write_charts(home, "AAPL")
    (home / "data" / "lstm_backtest" / "AAPL" / "current.json").write_text(content)

    chart = client.get(f"{TICKERS}/AAPL/chart").json()

    assert (chart["forecasts"], chart["backtests"]["lstm"]) == (None, None)
    assert chart["candles"] and chart["backtests"]["ensemble"]


@pytest.mark.slow
def test_what_is_no_number_is_not_drawn(client, home):
    write_charts(home, "AAPL")
    facts = read_facts(home, "serving_snapshot", "AAPL")
    facts["candles"]["close"][3] = float("nan")
    write_facts(home, "serving_snapshot", "AAPL", facts)

    answer = client.get(f"{TICKERS}/AAPL/chart")

    assert json.loads(answer.text, parse_constant=pytest.fail)["candles"] is None


@pytest.mark.parametrize(("ticker", "status"), [("AAPX", 404), ("a b", 422), ("..%2F..%2Fetc", 404)])
def test_what_is_no_ticker_of_ours_is_a_problem(client, ticker, status):
    answer = client.get(f"{TICKERS}/{ticker}/chart")

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert ticker not in answer.text
