import json

import pytest

from tests.empty_databases import put_dagster_databases
from zenith_cli.main import main
from zenith_core.market import exchanges


@pytest.fixture
def zenith(monkeypatch, capsys, tmp_path):
    """Run the command; return its output."""
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "home"))
    put_dagster_databases(tmp_path / "home")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["zenith", *arguments])
        with pytest.raises(SystemExit) as exit:
            main()
        output = capsys.readouterr()
        return exit.value.code or 0, output.out, output.err

    return run


def test_tickers_are_added_listed_and_removed(zenith):
    assert zenith("tickers", "list")[1].startswith("no tickers yet")
    _, added, _ = zenith("tickers", "add", "aapl,MSFT", "PETR4.SA", "--json")
    assert json.loads(added) == {"added": ["AAPL", "MSFT", "PETR4.SA"], "already_there": []}
    status, text, _ = zenith("tickers", "add", "AAPL", "IBM")
    assert (status, text.splitlines()[0]) == (0, "added: IBM · already there: AAPL")

    _, removed, _ = zenith("tickers", "remove", "MSFT", "IBM", "--json")

    assert json.loads(removed) == {"removed": ["MSFT", "IBM"]}
    _, listed, _ = zenith("tickers", "list", "--json")
    assert json.loads(listed)["tickers"] == [
        {"ticker": "AAPL", "exchange": "XNYS", "currency": "USD", "as_of": None},
        {"ticker": "PETR4.SA", "exchange": "BVMF", "currency": "BRL", "as_of": None},
    ]
    assert [line.split() for line in zenith("tickers", "list")[1].splitlines()][2] == ["PETR4.SA", "BVMF", "BRL", "–"]


@pytest.mark.parametrize("text", ["../../etc", "AAPL,", "AAPL.XX"])
def test_none_is_added_if_one_is_no_ticker(zenith, text):
    status, _, errors = zenith("tickers", "add", "IBM", text)

    assert (status, errors.count("\n")) == (2, 1)
    assert json.loads(zenith("tickers", "list", "--json")[1]) == {"tickers": []}


def test_what_is_not_there_cannot_be_removed(zenith):
    status, _, errors = zenith("tickers", "remove", "IBM")

    assert (status, errors) == (2, "zenith: IBM: not among the tickers, which `zenith tickers list` shows\n")


def test_a_ticker_of_an_exchange_that_a_setting_adds_is_one(zenith, monkeypatch):
    monkeypatch.setattr(exchanges, "EXCHANGES", dict(exchanges.EXCHANGES))
    monkeypatch.setenv("ZENITH_EXCHANGES", ".VI=XWBO:EUR:Europe/Vienna")

    assert zenith("tickers", "add", "OMV.VI", "--json")[:2] == (0, '{"added": ["OMV.VI"], "already_there": []}\n')
    monkeypatch.setattr(
        exchanges, "EXCHANGES", {key: value for key, value in exchanges.EXCHANGES.items() if key != ".VI"}
    )
    assert zenith("tickers", "remove", "OMV.VI", "--json")[:2] == (0, '{"removed": ["OMV.VI"]}\n')
