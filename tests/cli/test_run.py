import io
import re

import pytest
from rich.console import Console

from zenith_cli import run_table
from zenith_cli.run import _plan_runs, _remarks, exit_code
from zenith_core.errors import UserError
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.execution.ticker_run import TickerRun
from zenith_pipelines.settings import Settings


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


def test_only_significant_skill_has_a_star(render):
    significant = model(skill=0.005, beats_naive=True)
    without_skill = model(skill=None)

    text = render(GOOG=outcome(models={"lstm": significant, "ensemble": without_skill}), AAPL=outcome())

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
