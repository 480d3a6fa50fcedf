"""Commands take the old name of a renamed ticker for the stated while."""

import pytest
from typer.main import get_command

from zenith_cli.commands import app
from zenith_cli.options import current_names
from zenith_core.names import RENAMED
from zenith_pipelines import renaming
from zenith_pipelines.datasets.store import Dataset, DatasetStore


@pytest.fixture
def store(monkeypatch, tmp_path):
    """A home in which FB is META since lately, and OLD is NEW since long ago."""
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    store = DatasetStore(str(tmp_path / "data"))
    for old, new, until in (("FB", "META", "2999-12-31"), ("OLD", "NEW", "2024-12-31")):
        store.write(RENAMED, old, Dataset(facts={"to": new, "until": until, "models": [], "finished": True}))
    store.write("serving_snapshot", "META", Dataset())
    store.write("serving_snapshot", "NEW", Dataset())
    return store


@pytest.fixture
def no_partitions(monkeypatch):
    """Dagster without tickers; a real one takes a second to open, and tests/pipelines/test_renaming.py has it."""

    class Instance:
        tickers = ()

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def has_dynamic_partition(self, _, ticker):
            return ticker in self.tickers

    instance = Instance()
    monkeypatch.setattr(renaming, "open_instance", lambda _: instance)
    return instance


def test_old_names_become_new_ones_also_in_lists(store, no_partitions, capsys):
    assert current_names("fb") == "META"
    assert capsys.readouterr().err == "zenith: FB is META now\n"
    assert current_names(["fb,IBM", "META"]) == ["META,IBM", "META"]
    assert current_names(None) is None
    assert current_names("OLD, ../x") == "OLD, ../x"


def test_a_new_owner_of_the_name_comes_first(store, no_partitions):
    no_partitions.tickers = ("FB",)
    assert current_names("FB") == "FB"
    no_partitions.tickers = ()
    store.write("serving_snapshot", "FB", Dataset())
    assert current_names("FB") == "FB"


@pytest.mark.parametrize(
    "arguments", ["export FB raw", "models FB", "replay lstm-FB/3", "ledger verify FB", "leaderboard FB"]
)
def test_a_command_speaks_of_the_name_of_today(zenith, store, no_partitions, arguments):
    status, _, errors = zenith(*arguments.split())

    first, second = errors.splitlines()
    assert (status, first) == (2, "zenith: FB is META now")
    assert "META" in second
    assert "FB" not in second


def test_every_argument_that_is_a_ticker_may_be_an_old_name():
    """But where a ticker begins to exist, or is renamed."""
    others = set()
    for path, command in commands_of(get_command(app)):
        others |= {path for each in command.params if each.name in ("ticker", "tickers") and not each.callback}
    assert others == {"tickers add", "predict"}  # `predict` asks as the service does, which knows old names itself


def commands_of(group, path=()):
    """Yield (its words, the command) of each command of a group."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands_of(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_a_book_has_the_name_of_today(zenith, store, no_partitions, tmp_path):
    book = tmp_path / "book.csv"
    book.write_text("ticker,quantity\nFB,1\n")
    assert "META has no prices in this home" in zenith("book", str(book))[2]
    book.write_text("ticker,quantity\nFB,1\nMETA,1\n")
    assert "line 3: META is on line 2 already; add the two up" in zenith("book", str(book))[2]
