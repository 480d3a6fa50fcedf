import io
import json
import re
from datetime import UTC, datetime

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from dagster._core.storage.runs.schema import RunsTable
from rich.console import Console

from tests.core.portfolio.universe import drawn_returns
from tests.empty_databases import put_dagster_databases
from zenith_cli import run_table
from zenith_cli.run import _forecast_together, _plan_runs, _remarks, _universe_remarks, duration, exit_code
from zenith_core.errors import UserError
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.execution import run_plan
from zenith_pipelines.execution.ticker_run import TickerRun
from zenith_pipelines.settings import Settings, prepare_home


def model(version=2, production=2, skill=-0.018, beats_naive=False):
    metrics = {"skill": skill, "beats_naive": beats_naive}
    return {"version": version, "production": production, "promotion": "data end: older", "metrics": metrics}


def outcome(**changes):
    stats = {"strategy": {"sharpe": 0.71}, "buy_and_hold": {"sharpe": None}}
    forecast = {"forecast": 1435.33, "lower": 1393.99, "upper": 1473.91, "signal": "hold", "probability": 0.41}
    return {
        "status": "ok",
        "reason": None,
        "sessions": 3270,
        "last": "2013-03-01",
        "last_close": 1430.47,
        "forecast": forecast,
        "models": {"lstm": model(), "ensemble": model()},
        "backtest": {"lstm": stats, "ensemble": stats},
        "report": None,
    } | changes


@pytest.fixture
def render(monkeypatch):
    def show(**outcomes):
        file = io.StringIO()
        monkeypatch.setattr(run_table, "Console", lambda **options: Console(file=file, width=80, **options))
        run_table.show({"source": "sample", "seconds": 77.0, "as_of": None, "tickers": outcomes})
        return file.getvalue()

    return show


def test_the_table_and_its_legend_fit_eighty_columns_unbroken(render):
    text = render(**{"PETR4.SA": outcome()})

    *lines, next_step = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert next_step.startswith("Next: `zenith predict PETR4.SA`")
    assert "1393.99–1473.91" in text
    assert run_table._legend(5) in re.sub(r" +\n", "\n", text)


@pytest.fixture
def plan(tmp_path, monkeypatch, zenith):
    """The JSON of a plan for tickers of the sample, two at a time, and the exit status."""
    for name in ("DAGSTER_HOME", "DATABASE_URL", "MLFLOW_TRACKING_URI", "ZENITH_DATA_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))

    def run(tickers):
        status, out, err = zenith("run", "--plan", "--source", "sample", "--tickers", tickers, "--jobs", "2", "--json")
        return status, json.loads(out) if out else err

    return run


def test_a_plan_in_a_new_home_has_the_default_costs_and_starts_nothing(plan, tmp_path):
    status, document = plan("AAPL,IBM,MSFT")

    assert (status, document["fits"], document["past_runs"]) == (0, True, 0)
    assert document["seconds"] == run_plan.START_SECONDS + 2 * run_plan.SECONDS  # two, then one
    assert document["bytes"] == 3 * run_plan.FIRST_BYTES
    assert not list(tmp_path.rglob("*.db"))


def test_a_plan_follows_past_runs_and_knows_which_tickers_have_data(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(run_plan, "past_seconds", lambda _: [10.0, 12.0, 90.0])
    DatasetStore(str(tmp_path / "data")).write("cleaned_prices", "IBM", Dataset())

    _, document = plan("AAPL,IBM")

    assert (document["seconds_per_ticker"], document["past_runs"], document["new"]) == (12.0, 3, 1)
    assert document["bytes"] == run_plan.FIRST_BYTES + run_plan.AGAIN_BYTES


def test_a_plan_that_does_not_fit_on_the_disk_has_status_1(plan, monkeypatch):
    monkeypatch.setattr(run_plan, "FIRST_BYTES", 10**15)

    status, document = plan("AAPL")
    assert (status, document["fits"]) == (1, False)


def test_a_plan_for_people_says_time_disk_and_where_the_time_comes_from(tmp_path, monkeypatch, zenith, plan):
    status, out, _ = zenith("run", "--plan", "--source", "sample", "--tickers", "AAPL", "--jobs", "2")

    assert status == 0
    assert out.splitlines()[:2] == [
        "1 ticker, 1 at a time: about 36 s (26 s each, the default; no run has ended here yet)",
        "disk: 10 MB for 1 first run and 0 further ones",
    ]


@pytest.mark.slow
def test_only_whole_runs_count_as_past_runs(tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    settings = Settings(zenith_home=tmp_path, database_url=None)
    put_dagster_databases(tmp_path)
    moment = datetime.now(UTC)
    with open_instance(settings) as instance:
        for seconds, name, selection in ((20, "retrain_model", None), (3, "retrain_model", {"a"}), (4, "other", None)):
            keys = selection and {dg.AssetKey(key) for key in selection}
            run = instance.add_run(dg.DagsterRun(name, status=dg.DagsterRunStatus.SUCCESS, asset_selection=keys))
            with instance.run_storage.connect() as connection:
                times = {"start_time": moment.timestamp(), "end_time": moment.timestamp() + seconds}
                connection.execute(RunsTable.update().where(RunsTable.c.run_id == run.run_id).values(times))

    assert run_plan.past_seconds(settings) == [pytest.approx(20)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.6, "1 min 0 s"), (3700, "1 h 1 min"), (86400, "1 d 0 h"), (90000.0, "1 d 1 h")],
)
def test_durations_have_their_two_largest_units(seconds, text):
    assert duration(seconds) == text


def test_only_what_is_discovered_has_a_star(render):
    found, lucky = model(skill=0.005), model(skill=None, beats_naive=True)
    evidence = {"lstm": {"discovered": True}, "ensemble": {"discovered": False}}

    text = render(GOOG=outcome(models={"lstm": found, "ensemble": lucky}, evidence=evidence), AAPL=outcome())

    assert text.count(" *") == 2  # GOOG's, and the legend's
    assert "+0.5% *" in text


def test_run_without_training_shows_no_model_columns(render):
    text = render(IBM=outcome(forecast=None, models={}, backtest={}))

    assert "Sharpe" not in text
    assert "`zenith export IBM prices`" in text


def test_failed_ticker_has_no_row_and_no_next_step(render):
    assert render(X={"status": "failed", "reason": "no column volume"}) == ""


def test_skipped_tickers_and_refused_candidates_have_remarks():
    models = {"lstm": model(version=3, production=2), "ensemble": model()}

    remarks = _remarks({"FB": {"status": "skipped", "reason": "196 sessions"}, "AAPL": outcome(models=models)})

    assert list(remarks) == ["FB skipped: 196 sessions", "AAPL lstm v3 was not promoted: data end: older"]


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([("ok", 0), ("skipped", 0)], 0),
        ([("skipped", 0)], 2),
        ([("ok", 0), ("failed", 2)], 2),
        ([("failed", 2), ("failed", 1)], 1),
    ],
)
def test_exit_status_is_zero_only_without_failures_and_with_one_ok_ticker(statuses, code):
    outcomes = {str(n): {"status": status, "exit_code": code} for n, (status, code) in enumerate(statuses)}

    assert exit_code(outcomes) == code


def test_simulated_source_accepts_tickers_beyond_its_list(tmp_path):
    (run,) = _plan_runs(Settings(zenith_home=tmp_path), "simulated", None, "SIM-NOISE-7", TickerRun(""))

    assert (run.ticker, run.source) == ("SIM-NOISE-7", "simulated")
    with pytest.raises(UserError, match="SIM-LUCK-1: not in the simulated prices, which have SIM-DIRTY-1"):
        _plan_runs(Settings(zenith_home=tmp_path), "simulated", None, "SIM-LUCK-1", TickerRun(""))


def test_without_a_named_source_each_ticker_takes_its_own(tmp_path, monkeypatch):
    monkeypatch.delenv("ZENITH_PRICE_SOURCE", raising=False)
    settings = Settings(zenith_home=tmp_path)
    prices = tmp_path / "prices"
    prices.mkdir()
    (prices / "IBM.csv").write_text("date,close\n2013-03-01,1\n")
    earlier = Dataset(facts={"source": "csv", "folder": str(prices)})
    DatasetStore(settings.data_uri).write("raw_prices", "IBM", earlier, keep_history=True)

    runs = _plan_runs(settings, None, None, "AAPL,IBM,PETR4.SA", TickerRun(""))

    assert [(run.ticker, run.source, run.csv_dir) for run in runs] == [
        ("AAPL", "sample", None),
        ("IBM", "csv", str(prices)),
        ("PETR4.SA", "yahoo", None),
    ]
    monkeypatch.setenv("ZENITH_PRICE_SOURCE", "sample")
    with pytest.raises(UserError, match=r"PETR4.SA: not in the sample prices, which have AAPL"):
        _plan_runs(Settings(zenith_home=tmp_path), None, None, "PETR4.SA", TickerRun(""))


@pytest.mark.parametrize(
    ("kind", "short"),
    [("lstm", "lstm"), ("ensemble", "ens."), ("ensemble_1", "en.1"), ("ensemble_20", "e.20"), ("standstill", "sta.")],
)
def test_kinds_that_differ_by_a_number_differ_in_the_table(kind, short):
    assert run_table._short(kind) == short


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")  # raised inside Dagster
def test_two_tickers_are_forecast_together_and_a_failure_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    settings, store = Settings(), DatasetStore(str(tmp_path / "data"))
    prepare_home(settings)
    put_dagster_databases(tmp_path)
    store.write("serving_snapshot", "AAPL", Dataset())
    outcomes = {"AAPL": outcome()}
    assert _forecast_together(settings, outcomes) is None

    store.write("serving_snapshot", "MSFT", Dataset())
    assert _forecast_together(settings, {"AAPL": outcome(status="failed")}) is None
    together = _forecast_together(settings, outcomes)
    assert together["status"] == "failed"
    (remark,) = _universe_remarks(together)
    assert remark.startswith("the forecast of all tickers failed: universe_forecasts: no ticker has prices yet")
    assert remark.endswith("`zenith job forecast_universe` repeats it")

    rows = {"close": 100 * np.exp(drawn_returns(200, 1)[:, 0].cumsum())}
    prices = pd.DataFrame(rows, pd.bdate_range(end="2024-06-28", periods=200, name="date"))
    with open_instance(settings) as instance:
        instance.add_dynamic_partitions("tickers", ["AAPL", "MSFT"])
    for ticker in ("AAPL", "MSFT"):
        store.write("cleaned_prices", ticker, Dataset({"prices": prices}, {"data_version": "1", "last": "2024-06-28"}))
    together = _forecast_together(settings, outcomes)
    assert (together["status"], together["as_of"], together["tickers"]) == ("ok", "2024-06-28", 2)
    assert _universe_remarks(together) == []
