"""`zenith models`, `promote` and `rollback` on a real registry: what they print, their exit status, what they move."""

import json
import os
from itertools import count

import pytest

from tests.empty_databases import put_mlflow_database
from tests.pipelines.synthetic_models import current_data, market, register_version, signal_onnx
from zenith_cli.main import main
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.production.promotion import promote_if_better
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.settings import Settings

# MLflow 3.17 warns of itself, on its first use and on the import of its pyfunc.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType"),
]

FEATURES = market()
WORTH = [{"foresight": 0.3, "width": 0.7}, {"foresight": 0.4, "width": 0.6}, {}]  # good, better, then one without skill
NUMBERS = count(1)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(zenith_home=tmp_path_factory.mktemp("home"), mlflow_tracking_uri=None, zenith_data_uri=None)


@pytest.fixture(scope="module")
def registry(settings):
    put_mlflow_database(settings.home / "mlflow")
    return ModelRegistry(settings.tracking_uri, settings.artifact_root)


@pytest.fixture
def ticker(settings, registry):
    """A ticker with three versions of its lstm, of which the second is in Production and the third was refused."""
    return trained(settings, registry)


@pytest.fixture(scope="module")
def shown(settings, registry):
    """The same, for tests that change nothing."""
    return trained(settings, registry)


def trained(settings, registry):
    name = f"T{next(NUMBERS)}"
    here = current_data(name, FEATURES)
    store = DatasetStore(settings.data_uri)
    store.write("serving_snapshot", name, Dataset(facts=here.snapshot.to_json()))
    store.write("indicator_features", name, Dataset({"features": FEATURES}))
    for worth in WORTH:
        promote_if_better(registry, "lstm", register_version(registry, "lstm", name, FEATURES, **worth).version, here)
    return name


@pytest.fixture
def zenith(monkeypatch, capsys, settings):
    """Run the command; return exit status, stdout and stderr."""
    for name in ("MLFLOW_TRACKING_URI", "ZENITH_DATA_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(settings.home))

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["zenith", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit:
            main()
        return exit.value.code or 0, *capsys.readouterr()

    return run


def in_production(registry, ticker):
    return registry.production(f"lstm-{ticker}").version


def test_versions_are_listed_with_aliases_figures_and_reasons(zenith, shown):
    status, out, _ = zenith("models", shown)

    assert status == 0
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines[0] == f"{shown} lstm"
    assert [line.split()[0] for line in lines if line.endswith(("refused", "promoted"))] == ["3", "2", "1"]
    assert any(line.startswith("2       Production") for line in lines)
    assert any(line.startswith("version 3: loss: +") for line in lines)
    assert "version 1: first model, no skill shown" in lines
    assert max(len(line) for line in lines if not line.startswith("version ")) <= 80


def test_the_same_for_programs(zenith, shown):
    status, out, _ = zenith("models", shown.lower(), "--history", "--json")

    assert status == 0
    model = json.loads(out)[shown]["lstm"]
    assert [version["aliases"] for version in model["versions"]] == [["Candidate"], ["Production"], []]
    newest = model["versions"][0]
    assert newest["metrics"]["loss"] == "mae"
    assert (newest["data_end"], newest["libraries"]) == (str(FEATURES.index[-1].date()), "numpy 2.1")
    assert newest["leakage"].startswith("passed: ")
    assert [(one["version"], one["outcome"], one["previous"]) for one in model["history"]] == [
        (1, "promoted", None),
        (2, "promoted", 1),
        (3, "refused", 2),
    ]


def test_all_tickers_are_listed_and_the_history_is_a_line_per_decision(zenith, shown):
    status, out, _ = zenith("models", "--history")

    assert status == 0
    assert f"{shown} lstm" in out
    lines = out.split(f"{shown} lstm")[1].splitlines()
    assert any(" version 3 refused by " in line and "in Production before: 2. loss: +" in line for line in lines)


def test_a_rollback_goes_back_and_says_who_and_why(zenith, ticker, registry):
    status, out, _ = zenith("rollback", ticker, "lstm", "--reason", "it forecast a split", "--json")

    made = json.loads(out)
    assert status == 0
    assert (made["outcome"], made["production"], made["previous"]) == ("rolled back", 1, 2)
    assert made["reason"] == "it forecast a split"
    assert made["by"].endswith(f"@{os.uname().nodename}")
    assert in_production(registry, ticker) == 1

    assert zenith("rollback", ticker, "lstm") == (
        2,
        "",
        f"zenith: nothing to roll back to: lstm-{ticker} version 1 replaced no version that still exists\n",
    )
    assert in_production(registry, ticker) == 1


def test_a_promotion_is_refused_by_its_gates_until_it_is_forced_with_a_reason(zenith, ticker, registry):
    status, out, err = zenith("promote", ticker, "lstm", "3")
    assert status == 1
    assert [line.split()[0] for line in out.splitlines() if " loss: " in line] == ["REFUSED"]
    assert err.startswith(f"zenith: lstm-{ticker} version 3 was not promoted: loss: +")
    assert len(err.splitlines()) == 1

    status, out, err = zenith("promote", ticker, "lstm", "3", "--force")
    assert (status, out) == (2, "")
    assert err == "zenith: --force needs --reason TEXT: the history must say why the gates were overruled\n"
    assert in_production(registry, ticker) == 2

    status, out, err = zenith("promote", ticker, "lstm", "3", "--force", "--reason", "bad ticks in the others")
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == f"lstm-{ticker}: version 3 is in Production, before it version 2 (forced)"
    assert in_production(registry, ticker) == 3


def test_a_version_that_cannot_serve_is_not_forced(zenith, ticker, registry):
    register_version(registry, "lstm", ticker, FEATURES, onnx=signal_onnx())

    status, out, err = zenith("promote", ticker, "lstm", "4", "--force", "--reason", "why not", "--json")

    assert status == 1
    assert json.loads(out)["outcome"] == "refused"
    assert "answers: does not load or forecast" in err
    assert in_production(registry, ticker) == 2


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["promote", "TICKER", "lstm", "9"], "zenith: lstm-TICKER has no version 9\n"),
        (["promote", "TICKER", "lstm", "2"], "zenith: lstm-TICKER version 2 is in Production already\n"),
        (["rollback", "TICKER", "ensemble"], "zenith: no ensemble-TICKER in Production yet: "),
        (["promote", "NOPE", "lstm", "1"], "zenith: no serving_snapshot for NOPE yet: "),
        (["models", "NOPE"], "zenith: no models of NOPE yet: `zenith run --tickers NOPE` makes them\n"),
        (["models", "a/b"], "zenith: not a ticker: "),
        (["rollback", "../x", "lstm"], "zenith: not a ticker: "),
    ],
)
def test_a_mistake_is_one_line(zenith, shown, arguments, line):
    status, out, err = zenith(*[argument.replace("TICKER", shown) for argument in arguments])

    assert (status, out) == (2, "")
    assert err.startswith(line.replace("TICKER", shown))
    assert len(err.splitlines()) == 1


def test_where_nothing_was_ever_trained_listing_makes_no_registry(zenith, monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "new"))

    assert zenith("models") == (2, "", "zenith: no models yet: `zenith run` makes them\n")
    assert list(tmp_path.rglob("*.db")) == []


def test_clean_up_lists_what_would_go_then_lets_it_go(zenith, ticker, registry):
    register_version(registry, "lstm", ticker, FEATURES)
    asked = ("cleanup", "--keep-latest-n", "0", "--no-keep-best")

    status, out, _ = zenith(*asked, "--dry-run")
    assert status == 0
    assert f"would delete lstm-{ticker} version 3 (old), " in out
    assert out.splitlines()[-1].startswith("would free ")

    status, out, _ = zenith(*asked, "--json")
    assert status == 0
    told = json.loads(out)
    assert told["models"][f"lstm-{ticker}"]["kept"] == {"4": ["Candidate"], "2": ["Production"], "1": ["rollback"]}
    assert told["bytes_freed"] > 1000
    assert [version.version for version in registry.versions(f"lstm-{ticker}")] == [4, 2, 1]
