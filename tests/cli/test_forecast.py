"""`zenith forecast`, and `zenith predict` of several tickers, on snapshots with a distribution and no model."""

import json
from datetime import UTC, datetime

import pandas as pd
import pytest

from tests.core.risk.distributions import normal_distribution
from tests.empty_databases import put_mlflow_database
from tests.published import publish
from tests.serving.conftest import make_snapshot
from zenith_core.names import ALERTS, ALL_TICKERS
from zenith_serving.schemas.forecasts import ForecastTable

TICKERS = ["AAPL", "IBM"]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    put_mlflow_database(tmp_path / "mlflow")
    for ticker in TICKERS:
        snapshot = make_snapshot(ticker, distribution=normal_distribution())
        publish(tmp_path, "serving_snapshot", ticker, snapshot.to_json())
    publish(tmp_path, "serving_snapshot", "MSFT", make_snapshot("MSFT").to_json())
    return tmp_path


def test_all_tickers_are_shown_with_the_reason_where_there_is_no_forecast(zenith):
    status, text, _ = zenith("forecast", "--horizon", "4")

    rows = [line.split() for line in text.splitlines() if "100.00" in line]
    assert (status, [row[0] for row in rows]) == (0, TICKERS)
    assert "an unchanged price: none" in text and "MSFT: " in text and "not investment advice" in text


def test_alerts_of_the_last_days_are_named(zenith, home):
    now = datetime.now(UTC)
    publish(home, ALERTS, ALL_TICKERS, {"IBM": {"run_failed": now.isoformat()}})

    assert f"alerts of the last 7 days: IBM (run failed on {now:%Y-%m-%d})" in zenith("forecast")[1]


def test_json_is_the_table_of_the_service(zenith):
    _, text, _ = zenith("forecast", "IBM,AAPL", "--quantiles", "0.05,0.95", "--json")

    table = ForecastTable.model_validate_json(text)
    assert [row.ticker for row in table.forecasts] == ["IBM", "AAPL"]
    assert all(row.quantiles["0.05"] < row.close < row.quantiles["0.95"] for row in table.forecasts)


@pytest.mark.parametrize(
    ("name", "read"), [("f.csv", pd.read_csv), ("f.parquet", pd.read_parquet), ("f.xlsx", pd.read_excel)]
)
def test_files_hold_a_row_for_each_ticker(zenith, tmp_path, name, read):
    status, _, said = zenith("forecast", "--all", "--quantiles", "0.05", "-o", str(tmp_path / name))

    options = {"engine": "calamine"} if name.endswith("xlsx") else {}
    frame = read(tmp_path / name, **options)
    assert (status, list(frame["ticker"]), list(frame["q0.05"].isna())) == (0, [*TICKERS, "MSFT"], [False, False, True])
    assert "3 tickers" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--quantiles", "5"], "--quantiles: expected up to 20 levels between 0 and 1, such as 0.05,0.95"),
        (["--quantiles", "x"], "--quantiles: expected up to 20 levels between 0 and 1, such as 0.05,0.95"),
        (["--all", "AAPL"], "name tickers, or --all, not both"),
        (["../x"], "not a ticker"),
        (["-o", "no/folder/f.csv"], "no/folder is not a folder"),
    ],
)
def test_what_cannot_be_is_one_line(zenith, words, message):
    status, _, errors = zenith("forecast", *words)

    assert (status, errors.count("\n")) == (2, 1)
    assert message in errors


def test_without_any_forecast_the_status_is_1(zenith):
    assert zenith("forecast", "MSFT")[0] == 1
    status, text, _ = zenith("forecast", "XOM")
    assert status == 1 and "XOM: no predictions yet: `zenith run --tickers XOM` makes them" in text


def test_predict_answers_several_tickers_and_says_which_has_no_answer(zenith):
    status, text, errors = zenith("predict", "AAPL", "XOM", "IBM", "--json")

    assert [answer["ticker"] for answer in json.loads(text)] == TICKERS
    assert (status, errors.count("\n")) == (2, 1)
    assert "no predictions for XOM yet: `zenith run --tickers XOM` makes them" in errors
    assert json.loads(zenith("predict", "IBM", "--json")[1])["ticker"] == "IBM"
