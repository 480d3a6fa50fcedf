"""The commands that messages, the page and the guides tell people to type, each typed in its state of tests/hints.py.

Runs end with the raw prices: what follows is the same for each command.
"""

import json
import shlex
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from tests import runs_here
from tests.empty_databases import put_dagster_databases
from tests.hints import STATES, typed
from tests.homes.older import ARCHIVES, unpack
from tests.integration.conftest import Command
from zenith_core.asset_selection import RETRAIN
from zenith_core.market import exchanges
from zenith_pipelines.execution.ticker_run import run_ticker
from zenith_pipelines.ingestion.sources.sample import SampleSource
from zenith_pipelines.ingestion.sources.yahoo import YahooSource
from zenith_pipelines.registry.model_registry import ModelRegistry

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated"),  # Dagster's own, of itself
]

CUT_SHORT = "with prices cut short"
TICKERS = {"of a stock of Yahoo": "PETR4.SA", "renamed": "GOOG"}
ROWS = sorted(
    {(state, typed(hint, TICKERS.get(state, "AAPL"))) for state, commands in STATES.items() for hint in commands}
)
SERVERS = ("DATABASE_URL", "MLFLOW_TRACKING_URI", "REDIS_URL", "ZENITH_DATA_URI", "ZENITH_PRICE_SOURCE")


@pytest.fixture(scope="module")
def outcomes():
    """The outcomes of runs by state and run: what was done in a state is not done again for another command."""
    return {}


@pytest.fixture
def zenith(tmp_path, monkeypatch, outcomes, state):
    """The command on a home of its own. Yahoo has the prices of the sample for every ticker."""
    for name in SERVERS:
        monkeypatch.delenv(name, raising=False)

    def run_to_the_prices(run, progress):
        place = (state, run.ticker, run.source, run.as_of)
        if place not in outcomes or state == CUT_SHORT:
            until = "cleaned_prices" if state == CUT_SHORT else "raw_prices"
            outcomes[place] = run_ticker(replace(run, job=RETRAIN, until=until), progress)
        return outcomes[place]

    monkeypatch.setattr(runs_here, "run_ticker", run_to_the_prices)
    prices = SampleSource().fetch("AAPL")
    monkeypatch.setattr(YahooSource, "fetch", lambda *_, **__: replace(prices, source="yahoo"))
    monkeypatch.setattr(exchanges, "EXCHANGES", dict(exchanges.EXCHANGES))
    return Command(tmp_path / "home")


@pytest.fixture
def home(zenith, state, request, monkeypatch, tmp_path):
    """A home in a state of the table."""
    match state:
        case "new" | "of a stock of Yahoo":
            put_dagster_databases(zenith.home)
        case "with a damaged model":
            unpack(ARCHIVES[0], tmp_path)
        case _:
            shutil.copytree(request.getfixturevalue("sample_home").zenith.home, zenith.home)
    match state:
        case "of a stock of Yahoo":
            zenith.here("tickers", "add", "PETR4.SA")
        case "with a damaged model":
            damage_the_second_version(zenith)
        case "with prices cut short":
            cut_prices(tmp_path / "prices", monkeypatch)
            failure = zenith.here("job", "refresh_prices", "--tickers", "AAPL", status=2)
            assert "allow_earlier_end=true` replaces them" in failure.stderr
        case "renamed":
            zenith.here("tickers", "rename", "AAPL", "GOOG")
        case "half renamed":
            with monkeypatch.context() as patch:
                patch.setattr(ModelRegistry, "rename", interrupt)
                zenith.here("tickers", "rename", "AAPL", "AAPLE", status=130)
    return zenith.home


def damage_the_second_version(zenith):
    zenith.here("models")  # brings the artifacts in
    with closing(sqlite3.connect(zenith.home / "mlflow" / "mlflow.db")) as database:
        query = "SELECT source FROM model_versions WHERE name = 'lstm-AAPL' AND version = 2"
        ((place,),) = database.execute(query)
    folder = zenith.home / "mlflow" / "artifacts" / place.removeprefix("mlflow-artifacts:/")
    (folder / "model.onnx").write_bytes(b"not a model")
    parts = json.loads(zenith.here("doctor", "--url", "http://127.0.0.1:1", "--json", status=1).stdout)["parts"]
    (remedy,) = (part["remedy"] for part in parts if part["part"] == "models")
    assert "`zenith rollback AAPL lstm` returns to the version before" in remedy


def cut_prices(folder, patch):
    folder.mkdir()
    SampleSource().fetch("AAPL").prices.iloc[:-200].to_csv(folder / "AAPL.csv")
    patch.setenv("ZENITH_PRICE_SOURCE", "csv")
    patch.setenv("ZENITH_CSV_DIR", str(folder))


def interrupt(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("state", "command"), ROWS)
def test_a_hint_works_in_the_state_that_it_is_shown_in(zenith, command):
    process = zenith.here(*shlex.split(command)[1:])

    assert "Traceback" not in process.stdout + process.stderr
