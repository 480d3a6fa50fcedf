"""The main job as people run it: real prices, a real Dagster run, a real registry, then a real answer."""

import io
import json
import re
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dagster import AssetKey, AssetRecordsFilter
from storage import sizes

from zenith_core.asset_selection import STAGES
from zenith_core.evaluation.past_bands import BAND_COLUMNS
from zenith_core.evaluation.risk_record import RISK_COLUMNS
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.disk_space import AGAIN_BYTES, FIRST_BYTES
from zenith_pipelines.settings import Settings
from zenith_serving.routes.tickers import chart_of

pytestmark = pytest.mark.slow


def test_the_document_says_what_was_done(sample_home):
    aapl = sample_home.document["tickers"]["AAPL"]

    assert sample_home.document["source"] == "sample"
    assert aapl["status"] == "ok"
    assert (aapl["sessions"], aapl["first"], aapl["last"]) == (3270, "2000-03-01", "2013-03-01")
    assert aapl["last_close"] == pytest.approx(430.47)
    assert aapl["cleaning"]["rows_in"] == 3270
    assert set(aapl["seconds"]) == set(STAGES)
    assert {kind: model["production"] for kind, model in aapl["models"].items()} == {"lstm": 1, "ensemble": 1}
    assert aapl["backtest"]["ensemble"]["buy_and_hold"]["sharpe"] is not None


def test_the_forecast_is_within_its_interval_and_near_the_last_close(sample_home):
    answer = sample_home.document["tickers"]["AAPL"]["forecast"]

    assert answer["lower"] < answer["forecast"] < answer["upper"]
    assert 0.8 < answer["forecast"] / 430.47 < 1.2
    assert answer["signal"] in {"sell", "hold", "buy"}
    assert 1 / 3 <= answer["probability"] <= 1


def test_a_short_history_is_skipped_with_its_reason_and_the_others_go_on(sample_home):
    fb = sample_home.document["tickers"]["FB"]

    assert fb["status"] == "skipped"
    assert fb["reason"].startswith("196 sessions of history")
    assert fb["models"] == {}


def test_nothing_but_skipped_tickers_is_not_a_success(zenith):
    process = zenith.here("run", "--tickers", "FB", "--json", status=2)

    assert json.loads(process.stdout)["tickers"]["FB"]["status"] == "skipped"
    assert process.stderr.splitlines()[-1].startswith("zenith: FB skipped: 196 sessions of history")


def test_until_stops_after_the_named_asset(zenith):
    document = json.loads(zenith.here("run", "--tickers", "IBM", "--until", "cleaned_prices", "--json").stdout)

    assert list(document["tickers"]["IBM"]["seconds"]) == ["raw_prices", "cleaned_prices"]
    assert document["tickers"]["IBM"]["models"] == {}


COLUMNS = {
    "forecasts": [
        *("origin", "horizon", "target_date", "forecast", "lower", "upper", "actual"),
        *BAND_COLUMNS,
        "scale_version",
    ],
    "risk": list(RISK_COLUMNS),
    "signals": ["date", "sell", "hold", "buy", "likeliest", "signal", "reason", "label"],
    "trades": ["entry_date", "entry_price", "exit_date", "exit_price", "quantity", "costs", "pnl"],
    "equity": ["date", "strategy", "buy_and_hold"],
}


@pytest.mark.parametrize("table", COLUMNS)
def test_exported_tables_have_the_documented_columns(sample_home, table):
    frame = pd.read_csv(io.StringIO(sample_home.zenith.here("export", "AAPL", table).stdout))

    assert list(frame.columns) == COLUMNS[table]
    assert len(frame) > 0 or table == "trades"  # a model that abstains throughout makes none


def test_exported_forecasts_agree_with_the_exported_prices(sample_home, tmp_path):
    sample_home.zenith.here("export", "AAPL", "forecasts", "-o", str(tmp_path / "forecasts.parquet"))
    prices = pd.read_csv(io.StringIO(sample_home.zenith.here("export", "AAPL", "prices").stdout), parse_dates=["date"])
    forecasts = pd.read_parquet(tmp_path / "forecasts.parquet").dropna(subset=["actual"])

    close = prices.set_index("date")["close"]
    np.testing.assert_allclose(forecasts["actual"], close.loc[forecasts["target_date"]], rtol=1e-5)
    positions = close.index.get_indexer(forecasts["target_date"]) - close.index.get_indexer(forecasts["origin"])
    np.testing.assert_array_equal(positions, forecasts["horizon"])


def test_the_report_is_one_page_that_loads_nothing(sample_home):
    page = Path(sample_home.document["tickers"]["AAPL"]["report"]).read_text()

    assert "<title>AAPL report" in page
    assert "<script src" not in page
    assert 'href="http' not in page
    data = re.search(r'<script type="application/json" id="embedded">(.*?)</script>', page)[1]
    report = json.loads(data)["report"]
    assert {model["model_type"]: model["version"] for model in report["models"]} == {"lstm": 1, "ensemble": 1}
    assert report["forecast"]["predictions"][4]["price"] == pytest.approx(
        sample_home.document["tickers"]["AAPL"]["forecast"]["forecast"], rel=1e-6
    )


def test_the_report_is_filed_with_each_model_version_in_mlflow(sample_home):
    page = Path(sample_home.document["tickers"]["AAPL"]["report"]).read_bytes()
    reports = list(sample_home.zenith.home.glob("mlflow/artifacts/*/artifacts/report.html"))

    assert [path.read_bytes() == page for path in reports] == [True, True]


def metadata_of(sample_home, asset):
    with open_instance(Settings(zenith_home=sample_home.zenith.home)) as instance:
        records = instance.fetch_materializations(
            AssetRecordsFilter(AssetKey(asset), asset_partitions=["AAPL"]), limit=1
        ).records
    return records[0].asset_materialization.metadata


@pytest.mark.parametrize(
    ("asset", "plots"),
    {
        "cleaned_prices": ["close and volume"],
        "indicator_features": ["Bollinger Bands and RSI"],
        "lstm_model": ["forecasts", "skill by horizon"],
        "ensemble_model": ["price with signals", "reliability"],
        "lstm_backtest": ["equity"],
        "ensemble_backtest": ["equity"],
        "backtest_report": ["forecast fan"],
    }.items(),
)
def test_the_key_plots_are_shown_in_the_dagster_ui(sample_home, asset, plots):
    metadata = metadata_of(sample_home, asset)
    for name in plots:
        assert metadata[name].md_str.startswith(f"![{name}](data:image/png;base64,")


@pytest.mark.parametrize("asset", ["raw_prices", "lstm_model", "backtest_report", "forecast_ledger"])
def test_each_asset_links_the_page_and_the_report_of_its_ticker(sample_home, asset):
    metadata = metadata_of(sample_home, asset)

    assert metadata["page"].value == "http://127.0.0.1:8000/#AAPL"
    assert metadata["report page"].value == "http://127.0.0.1:8000/reports/AAPL"


def test_the_verdicts_are_shown_in_the_dagster_ui(sample_home):
    verdicts = metadata_of(sample_home, "backtest_report")["verdicts"].md_str
    assert "**Price forecast:** No better than assuming an unchanged price (" in verdicts


def test_the_decision_on_each_model_is_shown_in_the_dagster_ui_gate_by_gate(sample_home):
    metadata = metadata_of(sample_home, "production_models")
    for kind in ("lstm", "ensemble"):
        head, *_, evidence = metadata[f"{kind}/gates"].md_str.splitlines()
        assert head.startswith(f"**{kind}-AAPL version 1: promoted** (first model, ")
        assert evidence.startswith("| evidence | passed | ")
        assert metadata[f"{kind}/evidence/rows"].value > 1000


def test_every_version_carries_what_it_was_made_from_and_what_was_decided(sample_home):
    models = json.loads(sample_home.zenith.here("models", "AAPL", "--history", "--json").stdout)["AAPL"]

    for model in models.values():
        (version,), (decision,) = model["versions"], model["history"]
        assert version["aliases"] == ["Candidate", "Production"]
        assert version["data_end"] == "2013-03-01"
        assert version["leakage"].startswith("passed: ")
        assert "onnxruntime 1." in version["libraries"]
        assert version["trials"] in ("0", "1")  # a model that abstains throughout makes no trial
        assert all(version[tag] for tag in ("data_version", "feature_spec", "code_version", "decided_by"))
        assert version["metrics"]["naive"] > 0
        assert (decision["version"], decision["outcome"], decision["previous"]) == (1, "promoted", None)
        assert decision["reason"].startswith("first model, ")


def test_a_run_leaves_what_the_page_draws(sample_home):
    chart = chart_of(sample_home.zenith.home / "data", "AAPL")

    assert (len(chart.candles.date), chart.candles.close[-1]) == (504, 430.47)
    assert len(chart.forecasts.origin) == 504
    assert chart.forecasts.target_date[-1] == date(2013, 3, 1)
    for kind, backtest in chart.backtests.items():
        stats = sample_home.document["tickers"]["AAPL"]["backtest"][kind]
        assert backtest.equity.strategy[-1] == pytest.approx(1 + stats["strategy"]["total_return"], rel=1e-5)
        assert backtest.equity.buy_and_hold[-1] == pytest.approx(1 + stats["buy_and_hold"]["total_return"], rel=1e-5)
        assert backtest.stats.strategy.sharpe == stats["strategy"]["sharpe"]


def test_a_run_leaves_as_many_bytes_as_a_plan_expects(sample_home):
    parts = sizes(sample_home.zenith.home)
    again = parts["MLflow's artifacts"] + parts["Dagster's events of runs"]
    first = again + sum(parts[name] for name in ("prices", "ledger", "other datasets", "reports"))

    assert first == pytest.approx(FIRST_BYTES, rel=0.15)
    assert again == pytest.approx(AGAIN_BYTES, rel=0.15)


def test_predict_answers_for_the_asked_horizon(sample_home):
    answer = json.loads(sample_home.zenith("predict", "AAPL", "--horizon", "3", "--json").stdout)

    assert [row["day"] for row in answer["predictions"]] == [1, 2, 3]
    assert answer["predictions"][0]["date"] == "2013-03-04"
    assert int(answer["model_version"]) == sample_home.document["tickers"]["AAPL"]["models"]["lstm"]["production"]
    assert answer["stale"] is True


def test_predict_says_how_to_get_a_model_that_is_not_there(sample_home):
    process = sample_home.zenith.here("predict", "MSFT", status=2)

    assert "MSFT" in process.stderr
    assert len(process.stderr.strip().splitlines()) == 1


def test_the_leaderboard_has_each_model_with_its_figures_and_the_cpu_seconds_of_its_training(sample_home):
    tasks = json.loads(sample_home.zenith.here("leaderboard", "AAPL", "--json").stdout)["AAPL"]

    for task, kind in (("price", "lstm"), ("signal", "ensemble")):
        (model,) = tasks[task]["models"]
        metrics = sample_home.document["tickers"]["AAPL"]["models"][kind]["metrics"]
        assert (model["model_type"], model["answers"]) == (kind, True)
        assert model["own_rows"] == tasks[task]["rows"] == metrics["rows"]
        assert [model["value"], model["naive"]] == pytest.approx(
            [metrics[name] for name in (("mae", "mae_random_walk") if task == "price" else ("brier", "brier_baseline"))]
        )
        assert model["train_cpu_seconds"] > 0


def test_the_track_record_is_kept_where_serving_reads_it_and_old_prices_make_none(sample_home):
    ledger = json.loads((sample_home.zenith.home / "data" / "forecast_ledger" / "AAPL" / "current.json").read_text())
    record = json.loads(sample_home.zenith.here("track-record", "AAPL", "--json").stdout)

    evidence, signal_evidence = record.pop("evidence"), record.pop("signal_evidence")
    assert list(signal_evidence) == ["5"]
    assert record == {"ticker": "AAPL", **ledger["facts"]["track_record"]}
    assert evidence["5"]["since"] == ledger["facts"]["evidence_start"]["by_horizon"]["5"]["since"]
    assert [(row["horizon"], row["in_the_open"]) for row in record["forecasts"]] == [
        (1, False),
        (5, False),
        (20, False),
    ]
    assert sample_home.zenith.here("track-record", "AAPL").stdout.startswith("AAPL: no forecast has matured yet.")
    assert "track_record" not in sample_home.document["tickers"]["AAPL"]["forecast"]
