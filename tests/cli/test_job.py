import json

import pytest

from tests.empty_databases import put_dagster_databases
from zenith_cli import job
from zenith_cli.job import run_named
from zenith_core.errors import NotAvailable, UserError
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import add_tickers


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    put_dagster_databases(tmp_path)
    with open_instance(Settings()) as instance:
        add_tickers(instance, ["AAPL", "IBM"])


@pytest.fixture
def started_runs(home, monkeypatch):
    """Record the runs that a command starts instead of running them."""
    calls = []

    def run_batch(runs, jobs, on_update):
        calls.extend(runs)
        return {run.ticker: {"status": "ok", "reason": None, "last": "2024-01-02", "models": {}} for run in runs}

    monkeypatch.setattr(job, "run_batch", run_batch)
    return calls


@pytest.mark.slow
def test_all_tickers_are_refreshed_by_default(started_runs, capsys):
    assert run_named("refresh_prices", None, [], None, as_json=False) == 0
    assert run_named("refresh_prices", "ibm", [], None, as_json=False) == 0

    assert [(run.ticker, run.job) for run in started_runs] == [
        (name, "refresh_prices") for name in ("AAPL", "IBM", "IBM")
    ]
    assert capsys.readouterr().out.splitlines()[0] == "AAPL ok · prices until 2024-01-02"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["retrain_model", "retrain_all_models"])
def test_retraining_accepts_model_type_epochs_and_options_of_models(started_runs, name):
    store = DatasetStore(Settings().data_uri)
    for ticker in ("AAPL", "IBM"):
        store.write("ensemble_model", ticker, Dataset())

    run_named(name, None, ["model_type=lstm", "epochs=3", "lstm.units=32", "lstm.dropout=0"], None, as_json=True)

    assert [(run.ticker, run.job, run.model_type, run.epochs) for run in started_runs] == [
        ("AAPL", "retrain_model", "lstm", 3),
        ("IBM", "retrain_model", "lstm", 3),
    ]
    assert [run.models for run in started_runs] == [{"lstm": {"units": 32, "dropout": 0}}] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "tickers", "config", "message"),
    [
        ("retrain", None, [], "unknown job; the jobs are backtest_books, cleanup_old_models, clear_prediction_cache, "),
        ("retrain_model", "MSFT", [], "MSFT: not among the tickers"),
        ("retrain_model", "../etc", [], "not a ticker"),
        ("retrain_model", None, ["epochs"], "expected NAME=VALUE"),
        ("retrain_model", None, ["epochs=0"], "epochs: Input should be greater than or equal to 1"),
        ("retrain_model", None, ["epochs=true"], "epochs: Input should be a valid integer"),
        ("retrain_model", None, ["model_type=rnn"], "model_type: Input should be 'lstm', 'ensemble' or 'all'"),
        ("retrain_model", None, ["model_type=lstm"], "AAPL has no ensemble model yet"),
        (
            "retrain_model",
            None,
            ["window=3"],
            "retrain_model takes epochs, model_type, models, allow_earlier_end, not window",
        ),
        ("retrain_model", None, ["lstm.units=257"], "--config: lstm.units: Input should be less than or equal to 256"),
        ("retrain_model", None, ["model_type=lstm", "ensemble.trees=9"], "model_type lstm does not train it"),
        ("refresh_prices", None, ["epochs=3"], "refresh_prices takes nothing, not epochs"),
        ("clear_prediction_cache", None, ["epochs=3"], "clear_prediction_cache takes nothing, not epochs"),
        ("clear_prediction_cache", "AAPL", [], "clear_prediction_cache does not run per ticker"),
    ],
)
def test_invalid_request_is_one_line_and_starts_nothing(started_runs, name, tickers, config, message):
    with pytest.raises((UserError, NotAvailable), match=message) as failure:
        run_named(name, tickers, config, None, as_json=False)

    assert "\n" not in str(failure.value)
    assert started_runs == []


@pytest.mark.slow
def test_failure_is_printed_and_sets_the_exit_status(home, monkeypatch, capsys):
    outcome = {"status": "failed", "reason": "raw_prices: no such file", "exit_code": 1}
    monkeypatch.setattr(job, "run_batch", lambda runs, jobs, on_update: {run.ticker: outcome for run in runs})

    assert run_named("refresh_prices", "AAPL", [], None, as_json=True) == 1

    output = capsys.readouterr()
    assert json.loads(output.out)["tickers"]["AAPL"] == {"status": "failed", "reason": "raw_prices: no such file"}
    assert output.err == "zenith: AAPL failed: raw_prices: no such file\n"


@pytest.mark.slow
def test_without_tickers_the_error_says_how_to_add_one(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    put_dagster_databases(tmp_path)

    with pytest.raises(NotAvailable, match="no tickers yet: `zenith tickers add AAPL`"):
        run_named("refresh_prices", None, [], None, as_json=False)


@pytest.mark.slow
def test_partitioned_op_job_runs_once_per_ticker(home, monkeypatch, capsys):
    monkeypatch.setattr(job, "job_names", lambda: {"evaluate": True})
    calls = []

    def run_job(name, config, ticker):
        calls.append((name, config, ticker))
        return {"status": "ok", "reason": None, "loss": 0.5, "report": "| a |\n| b |"}

    monkeypatch.setattr(job, "run_job", run_job)

    assert run_named("evaluate", None, ["model_type=lstm"], None, as_json=False) == 0

    assert calls == [("evaluate", {"model_type": "lstm"}, ticker) for ticker in ("AAPL", "IBM")]
    assert capsys.readouterr().out.splitlines() == ["AAPL ok · loss 0.5", "IBM ok · loss 0.5"]


def test_a_job_that_did_nothing_says_why(home, monkeypatch, capsys):
    monkeypatch.setattr(job, "job_names", lambda: {"learn_scale": False})
    monkeypatch.setattr(
        job, "run_job", lambda name, config: {"status": "ok", "registered": False, "reason": "too few tickers"}
    )

    assert run_named("learn_scale", None, [], None, as_json=False) == 0

    assert capsys.readouterr().out == "learn_scale ok · registered False · reason too few tickers\n"
