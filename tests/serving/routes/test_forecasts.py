"""The table of forecasts: a row for each ticker, in pages, as JSON and as CSV."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from tests.published import publish
from zenith_core.names import ALERTS, ALL_TICKERS
from zenith_serving.app import create_app
from zenith_serving.schemas.forecasts import ForecastTable

POINT = ("price", "lower", "upper", "change_pct")
URL = "/api/v1/ml/forecasts"


def table(client, query=""):
    return ForecastTable.model_validate_json(client.get(f"{URL}{query}").content)


def test_each_row_has_what_the_answers_about_its_ticker_have(client):
    ask = {"ticker": "AAPL", "horizon": 3, "quantiles": [0.05]}
    price = client.post("/api/v1/ml/predict/price", json=ask).json()
    risk = client.post("/api/v1/ml/predict/risk", json={"ticker": "AAPL", "horizon": 3}).json()
    signal = client.post("/api/v1/ml/predict/signal", json={"ticker": "AAPL"}).json()

    rows = {row.ticker: row for row in table(client, "?horizon=3&quantiles=0.05").forecasts}

    row, last = rows["AAPL"].model_dump(mode="json"), price["predictions"][-1]
    assert list(rows) == ["AAPL", "IBM", "MSFT"]
    assert row["target_date"] == last["date"]
    assert [row[name] for name in POINT] == [last[name] for name in POINT]
    assert row["quantiles"] == {"0.05": price["quantiles"][0]["prices"][-1]}
    assert (row["volatility"], row["value_at_risk"]) == (risk["volatility"], risk["tails"][-1]["value_at_risk"])
    assert (row["signal"], row["reason_code"], row["model_version"]) == (signal["signal"], signal["reason_code"], "1")
    assert (rows["IBM"].model_version, rows["IBM"].signal) == ("none", "hold")


def test_a_ticker_without_levels_keeps_its_forecast_and_says_why(client):
    row = table(client, "?quantiles=0.05&tickers=MSFT").forecasts[0]

    assert row.price and not row.quantiles
    assert row.problem.startswith("the data of MSFT hold no distribution of returns yet")
    assert table(client, "?tickers=MSFT").forecasts[0].problem is None


def test_a_ticker_without_data_has_the_reason_and_keeps_no_other_out(client):
    apple, unknown = table(client, "?tickers=AAPX&tickers=aapl").forecasts

    assert (apple.ticker, unknown.ticker, unknown.price) == ("AAPL", "AAPX", None)
    assert unknown.problem == "no predictions for this ticker: did you mean AAPL?"


def test_a_registry_that_is_away_is_the_reason_in_each_row(settings):
    away = settings.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:1"})
    with TestClient(create_app(away)) as client:
        rows = table(client).forecasts

    assert [(row.ticker, row.price) for row in rows] == [("AAPL", None), ("IBM", None), ("MSFT", None)]
    assert all("MLflow" in row.problem for row in rows)


def test_alerts_of_the_last_days_stand_beside_their_ticker(client, home):
    old, recent = datetime.now(UTC) - timedelta(days=8), datetime.now(UTC) - timedelta(days=1)
    moments = {"refused": old, "promoted": recent, "retraining": recent, "run_failed": datetime.now(UTC)}
    own = {kind: moment.isoformat() for kind, moment in moments.items()}
    publish(home, ALERTS, ALL_TICKERS, {"AAPL": own, "IBM": {"run_failed": "yesterday"}, "MSFT": 1, "GONE": own})

    rows = {row.ticker: [alert.kind for alert in row.alerts] for row in table(client).forecasts}
    answer = client.get(URL, headers={"Accept": "text/csv"})

    assert rows == {"AAPL": ["run_failed", "retraining"], "IBM": [], "MSFT": []}
    assert next(csv.DictReader(io.StringIO(answer.text)))["alerts"] == "run_failed retraining"


def test_a_damaged_record_of_alerts_takes_no_forecast_away(client, home):
    publish(home, ALERTS, ALL_TICKERS, {}).write_text("{")

    assert [(row.price is None, row.alerts) for row in table(client).forecasts] == [(False, [])] * 3


def test_pages_hold_all_tickers_once(client):
    names, query = [], "?limit=1"
    while query:
        page = table(client, query)
        names += [row.ticker for row in page.forecasts]
        query = f"?limit=1&after={page.next}" if page.next else None

    assert names == ["AAPL", "IBM", "MSFT"]


def test_csv_has_the_same_rows_and_names_the_next_page(client):
    answer = client.get(f"{URL}?quantiles=0.05&limit=2", headers={"Accept": "text/csv"})

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"].startswith("text/csv")
    assert client.get(answer.links["next"]["url"]).json()["forecasts"][0]["ticker"] == "MSFT"
    for row, same in zip(rows, table(client, "?quantiles=0.05&limit=2").forecasts, strict=True):
        assert (row["ticker"], float(row["price"]), row["target_date"]) == (
            same.ticker,
            same.price,
            str(same.target_date),
        )
        assert float(row["q0.05"]) == same.quantiles["0.05"]


def test_no_text_of_a_price_file_is_a_formula_in_the_csv(client, home, write_snapshot):
    write_snapshot(home, "AAPL", currency="=1+1")

    answer = client.get(f"{URL}?tickers=AAPL", headers={"Accept": "text/csv"})

    assert next(csv.DictReader(io.StringIO(answer.text)))["currency"] == "'=1+1"


@pytest.mark.parametrize(
    "query",
    [
        "?horizon=0",
        "?horizon=31",
        "?limit=0",
        "?limit=501",
        "?quantiles=1",
        "?tickers=../x",
        "?after=..",
        "?ticker=AAPL",
    ],
)
def test_what_cannot_be_is_one_line(client, query):
    answer = client.get(f"{URL}{query}")

    assert answer.status_code == 422
    assert "\n" not in answer.json()["detail"]
