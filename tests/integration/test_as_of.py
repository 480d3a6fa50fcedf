"""The past as it was known: two snapshots with a restatement between them, and the present that stays as it is."""

import hashlib
import io
import json
import os
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from tests.runs_here import fetch_short_history, run_tickers_here, train_little
from zenith_cli.main import main
from zenith_core.errors import NotAvailable, UserError
from zenith_pipelines.dagster_runtime.instance import dagster_home
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.ingestion.fetch import fetch_snapshot
from zenith_pipelines.ingestion.point_in_time import as_of_home, as_of_state, parse_day, snapshot_as_of
from zenith_pipelines.ingestion.sources.base import RawPrices
from zenith_pipelines.ingestion.sources.sample import SampleSource
from zenith_pipelines.models.training import MIN_SESSIONS
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.settings import Settings

BEFORE, AFTER = datetime(2013, 3, 4, 12, tzinfo=UTC), datetime(2013, 3, 20, 2, tzinfo=UTC)  # 19 March, New York
CORRECTED = pd.Timestamp("2013-02-28")


class Restating(SampleSource):
    """The sample's IBM, first up to 2013-02-28; then whole, with another close of that day."""

    def __init__(self, fetched_at):
        self._fetched_at = fetched_at

    def fetch(self, ticker, since=None):
        prices = super().fetch(ticker).prices.iloc[-MIN_SESSIONS - 1 :]
        if self._fetched_at == BEFORE:
            prices = prices[:CORRECTED]
        else:
            prices.loc[CORRECTED, ["close", "adj_close"]] -= 0.25
        return RawPrices(prices, self.name, "test 1", self._fetched_at)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A state folder that knows IBM since 2013-03-04, with one of its closes restated on 2013-03-19."""
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    store, snapshot = DatasetStore(str(tmp_path / "data")), None
    for moment in (BEFORE, AFTER):
        snapshot = fetch_snapshot(Restating(moment), "IBM", snapshot).snapshot
        store.write("raw_prices", "IBM", snapshot, keep_history=True)
    return tmp_path


@pytest.fixture
def command(home, monkeypatch, capsys):
    """Run the command in this process; return its output, or its error line if it exits with `status`."""

    run_tickers_here(monkeypatch)

    def run(*arguments, status=0):
        monkeypatch.setattr("sys.argv", ["zenith", *arguments])
        with pytest.raises(SystemExit) as exit:
            main()
        output = capsys.readouterr()
        assert exit.value.code == status, output.err
        return output.err.strip() if status else output.out

    return run


def exported(command, table, *arguments):
    return pd.read_csv(io.StringIO(command("export", "IBM", table, *arguments)), index_col="date")


def test_the_restatement_is_in_the_facts_of_the_later_snapshot(home):
    facts = DatasetStore(str(home / "data")).facts("raw_prices", "IBM")

    assert facts["restatements"]["counts"]["restated"] == 1
    assert facts["restatements"]["dates"] == {"new_sessions": ["2013-03-01"], "restated": ["2013-02-28"]}


@pytest.mark.parametrize("table", ["raw", "prices"])
@pytest.mark.parametrize(
    ("day", "last", "close"),
    [
        ("2013-03-04", "2013-02-28", 200.83),
        ("2013-03-18", "2013-02-28", 200.83),
        ("2013-03-19", "2013-03-01", 200.58),
        ("2020-01-01", "2013-03-01", 200.58),
    ],
)
def test_prices_are_exported_as_they_were_known(command, table, day, last, close):
    prices = exported(command, table, "--as-of", day)

    assert prices.index[-1] == last
    assert prices.loc["2013-02-28", "close"] == pytest.approx(close, abs=0.05)  # adjusted by rounded factors


def test_before_the_first_snapshot_nothing_was_known(command):
    for arguments in (["export", "IBM", "prices"], ["run", "--tickers", "IBM"]):
        assert command(*arguments, "--as-of", "2013-03-03", status=2) == (
            "zenith: no snapshot of IBM on 2013-03-03: its first one was fetched on 2013-03-04"
        )


def test_a_ticker_without_snapshots_was_never_known(command):
    assert "no raw_prices for AAPL yet" in command("run", "--tickers", "AAPL", "--as-of", "2013-03-04", status=2)


@pytest.mark.parametrize("text", ["yesterday", "2013-3", "04/03/2013", "2013-02-30", "9999-01-01", ""])
def test_what_is_not_a_past_day_is_refused(command, text):
    line = command("export", "IBM", "prices", "--as-of", text, status=2)

    assert line.startswith("zenith: --as-of: ")
    assert len(line.splitlines()) == 1


def test_the_past_is_not_fetched_so_no_source_may_be_named(command):
    line = command("run", "--tickers", "IBM", "--as-of", "2013-03-04", "--source", "sample", status=2)

    assert "--source" in line


def test_what_was_not_rebuilt_says_how_to_rebuild_it(command, home):
    assert command("export", "IBM", "features", "--as-of", "2013-03-04", status=2) == (
        "zenith: no features for IBM as of 2013-03-04 yet: `zenith run --tickers IBM --as-of 2013-03-04` makes them"
    )
    assert not (home / "as-of").exists()


def test_the_day_ends_at_midnight_of_the_exchange(home):
    store = DatasetStore(str(home / "data"))

    assert snapshot_as_of(store, "IBM", date(2013, 3, 18)).facts["fetched_at"] == BEFORE.isoformat()
    assert snapshot_as_of(store, "IBM", date(2013, 3, 19)).facts["fetched_at"] == AFTER.isoformat()
    with pytest.raises(NotAvailable):
        snapshot_as_of(store, "IBM", date(2013, 3, 3))


def test_a_day_to_come_is_refused():
    with pytest.raises(UserError, match="in the future"):
        parse_day("2999-12-31")


def test_no_setting_leads_from_the_past_to_the_state_of_the_present(home, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("DAGSTER_HOME", "/elsewhere")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    before, settings = dict(os.environ), Settings()

    with as_of_state(settings, date(2013, 3, 4)):
        apart = Settings()
        assert apart.home == as_of_home(settings, date(2013, 3, 4)) == home / "as-of" / "2013-03-04"
        assert apart.tracking_uri.startswith(f"sqlite:///{apart.home}")
        assert dagster_home(apart).is_relative_to(apart.home)
        assert apart.data_uri.startswith(str(apart.home))
        assert apart.keras_backend == "torch"

    assert dict(os.environ) == before


def fingerprint(home):
    """Every file of the present and its content, without the files that SQLite and Dagster keep while they read."""
    return {
        path.relative_to(home): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file() and "as-of" not in path.parts
    }


@pytest.mark.slow
def test_a_run_as_of_a_day_rebuilds_it_apart_and_leaves_the_present_alone(command, home):
    before = fingerprint(home)

    document = json.loads(
        command("run", "--tickers", "IBM", "--as-of", "2013-03-04", "--until", "indicator_features", "--json")
    )

    ibm = document["tickers"]["IBM"]
    assert (document["source"], document["as_of"]) == ("snapshot", "2013-03-04")
    assert (ibm["status"], ibm["last"], ibm["last_close"]) == ("ok", "2013-02-28", pytest.approx(200.83))
    assert (ibm["raw"]["source"], ibm["raw"]["fetched_at"]) == ("sample", BEFORE.isoformat())
    assert fingerprint(home) == before
    features = exported(command, "features", "--as-of", "2013-03-04")
    assert (features.index[-1], features["close"].iloc[-1]) == ("2013-02-28", pytest.approx(200.83))


@pytest.mark.slow
@pytest.mark.parametrize("part", [("--until", "ensemble_backtest"), pytest.param((), marks=pytest.mark.long)])
def test_models_rebuilt_as_of_today_equal_the_present_ones_and_touch_none_of_them(command, home, monkeypatch, part):
    train_little(monkeypatch)
    fetch_short_history(monkeypatch)
    train = ("run", "--tickers", "IBM", "--epochs", "1", "--json", *part)
    present = json.loads(command(*train, "--source", "sample"))["tickers"]["IBM"]
    today = datetime.fromisoformat(present["raw"]["fetched_at"]).astimezone(ZoneInfo("America/New_York")).date()
    before = fingerprint(home)

    again = json.loads(command(*train, "--as-of", str(today)))["tickers"]["IBM"]

    assert fingerprint(home) == before
    assert (present["status"], set(present["models"])) == ("ok", {"ensemble"} if part else {"ensemble", "lstm"})
    for key in ("data_version", "models", "backtest", "forecast"):
        assert again[key] == present[key]


@pytest.mark.slow
def test_a_model_can_be_traced_to_its_rows(sample_home):
    aapl, home = sample_home.document["tickers"]["AAPL"], sample_home.zenith.home
    store = DatasetStore(str(home / "data"))

    registry = ModelRegistry(f"sqlite:///{home / 'mlflow' / 'mlflow.db'}", home / "mlflow" / "artifacts")

    for kind in ("lstm", "ensemble"):
        version = registry.production(f"{kind}-AAPL")
        (tags,) = (tags for tags in registry.tags_of_runs(version.name) if tags["sha256"] == version.tags["sha256"])
        assert tags["raw_content_hash"] == aapl["raw"]["content_hash"]
        assert tags["raw_content_hash"] == store.facts("raw_prices", "AAPL")["content_hash"]
