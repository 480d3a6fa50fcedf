"""`zenith models`, `promote` and `rollback` on a real registry: output, exit status and alias."""

import json
import os
from itertools import count
from pathlib import Path

import pytest

from tests.empty_databases import put_mlflow_database
from tests.pipelines.synthetic_models import current_data, market, register_version, signal_onnx
from zenith_cli.models import _print_lines
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.production.promotion import promote_if_better
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.settings import Settings

# Warnings of MLflow 3.17 itself, on first use and on import of its pyfunc.
pytestmark = pytest.mark.slow

FEATURES = market()
SKILLS = [
    {"foresight": 0.3, "width": 0.7},
    {"foresight": 0.4, "width": 0.6},
    {},
]  # good, better, then one without skill
TICKER_NUMBERS = count(1)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(zenith_home=tmp_path_factory.mktemp("home"), mlflow_tracking_uri=None, zenith_data_uri=None)


@pytest.fixture(scope="module")
def registry(settings):
    put_mlflow_database(settings.home / "mlflow")
    return ModelRegistry(settings.tracking_uri, settings.artifact_root)


@pytest.fixture
def ticker(settings, registry):
    """A ticker with three lstm versions: the second is in Production, the third was refused."""
    return register_ticker(settings, registry)


@pytest.fixture(scope="module")
def shared_ticker(settings, registry):
    """The same, for tests that change nothing."""
    return register_ticker(settings, registry)


def register_ticker(settings, registry):
    name = f"T{next(TICKER_NUMBERS)}"
    current = current_data(name, FEATURES)
    store = DatasetStore(settings.data_uri)
    store.write("serving_snapshot", name, Dataset(facts=current.snapshot.to_json()))
    store.write("indicator_features", name, Dataset({"features": FEATURES}))
    for skill in SKILLS:
        version = register_version(registry, "lstm", name, FEATURES, **skill).version
        promote_if_better(registry, "lstm", version, current)
    return name


@pytest.fixture
def zenith(zenith, monkeypatch, settings):
    """Run the command on the home of `settings`; return exit status, stdout and stderr."""
    for name in ("MLFLOW_TRACKING_URI", "ZENITH_DATA_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(settings.home))
    return zenith


def in_production(registry, ticker):
    return registry.production(f"lstm-{ticker}").version


def test_versions_are_listed_with_aliases_figures_and_reasons(zenith, shared_ticker):
    status, out, _ = zenith("models", shared_ticker)

    assert status == 0
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines[0] == f"{shared_ticker} lstm"
    assert [line.split()[0] for line in lines if line.endswith(("refused", "promoted"))] == ["3", "2", "1"]
    assert any(line.startswith("2       Production") for line in lines)
    assert any(line.startswith("version 3: loss: +") for line in lines)
    assert "version 1: first model, no skill shown" in lines
    assert max(len(line) for line in lines if not line.startswith("version ")) <= 80


def test_json_lists_versions_and_history(zenith, shared_ticker):
    status, out, _ = zenith("models", shared_ticker.lower(), "--history", "--json")

    assert status == 0
    model = json.loads(out)[shared_ticker]["lstm"]
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


def test_without_a_ticker_all_are_listed_with_a_line_per_decision(zenith, shared_ticker):
    status, out, _ = zenith("models", "--history")

    assert status == 0
    assert f"{shared_ticker} lstm" in out
    lines = out.split(f"{shared_ticker} lstm")[1].splitlines()
    assert any(" version 3 refused by " in line and "previously in Production: 2. loss: +" in line for line in lines)


def test_rollback_restores_the_previous_version_and_records_user_and_reason(zenith, ticker, registry):
    status, out, _ = zenith("rollback", ticker, "lstm", "--reason", "it forecast a split", "--json")

    result = json.loads(out)
    assert status == 0
    assert (result["outcome"], result["production"], result["previous"]) == ("rolled back", 1, 2)
    assert result["reason"] == "it forecast a split"
    assert result["by"].endswith(f"@{os.uname().nodename}")
    assert in_production(registry, ticker) == 1

    assert zenith("rollback", ticker, "lstm") == (
        2,
        "",
        f"zenith: nothing to roll back to: lstm-{ticker} version 1 replaced no version that still exists\n",
    )
    assert in_production(registry, ticker) == 1


def test_promotion_refused_by_gates_can_be_forced_with_a_reason(zenith, ticker, registry):
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
    assert out.splitlines()[-1] == f"lstm-{ticker}: version 3 is now in Production (forced), previously version 2"
    assert in_production(registry, ticker) == 3


def test_version_that_cannot_forecast_cannot_be_forced(zenith, ticker, registry):
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
def test_invalid_request_is_one_line(zenith, shared_ticker, arguments, line):
    status, out, err = zenith(*[argument.replace("TICKER", shared_ticker) for argument in arguments])

    assert (status, out) == (2, "")
    assert err.startswith(line.replace("TICKER", shared_ticker))
    assert len(err.splitlines()) == 1


def test_listing_without_models_creates_no_registry(zenith, monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "new"))

    assert zenith("models") == (2, "", "zenith: no models yet: `zenith run` makes them\n")
    assert list(tmp_path.rglob("*.db")) == []


def test_cleanup_deletes_what_the_dry_run_lists(zenith, ticker, registry):
    register_version(registry, "lstm", ticker, FEATURES)
    store = DatasetStore(Settings().data_uri)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatasetStore, "_fold", lambda *_: False)  # as releases before 0.2.0 wrote them
        for rows in (5, 6, 7):
            store.write("raw_prices", ticker, Dataset({"prices": FEATURES[:rows]}), keep_history=True)
    command = ("cleanup", "--keep-latest-n", "0", "--no-keep-best")

    status, out, _ = zenith(*command, "--dry-run")
    assert status == 0
    assert f"would delete lstm-{ticker} version 3 (old), " in out
    assert out.splitlines()[-1].startswith("would free ")
    assert "folded" not in out

    status, out, _ = zenith(*command, "--json")
    assert status == 0
    summary = json.loads(out)
    assert summary["models"][f"lstm-{ticker}"]["kept"] == {"4": ["Candidate"], "2": ["Production"], "1": ["rollback"]}
    assert summary["bytes_freed"] > 1000
    assert summary["price_snapshots_folded"] == 1
    assert len([*Path(store.path("raw_prices", ticker)).rglob("*.parquet")]) == 2
    assert [version.version for version in registry.versions(f"lstm-{ticker}")] == [4, 2, 1]


def test_json_of_all_tickers_is_one_document_with_a_line_for_each(capsys):
    models = {"AAPL": {"lstm": {"versions": [{"version": 1, "reason": 'a "quote"'}]}}, "IBM": {}}
    _print_lines(models)
    out = capsys.readouterr().out
    assert json.loads(out) == models
    assert len(out.splitlines()) == 4
