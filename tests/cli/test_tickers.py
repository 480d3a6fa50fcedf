import json

import pytest

from tests.empty_databases import put_dagster_databases
from tests.published import publish
from zenith_core.market import exchanges

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "home"))
    put_dagster_databases(tmp_path / "home")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


def test_tickers_are_added_listed_and_removed(zenith):
    assert zenith("tickers", "list")[1].startswith("no tickers yet")
    _, out, _ = zenith("tickers", "add", "aapl,MSFT", "PETR4.SA", "--json")
    assert json.loads(out) == {"added": ["AAPL", "MSFT", "PETR4.SA"], "already_there": []}
    status, text, _ = zenith("tickers", "add", "AAPL", "IBM")
    assert (status, text.splitlines()[0]) == (0, "added: IBM · already there: AAPL")

    _, out, _ = zenith("tickers", "remove", "MSFT", "IBM", "--json")

    assert json.loads(out) == {"removed": ["MSFT", "IBM"]}
    _, out, _ = zenith("tickers", "list", "--json")
    assert json.loads(out)["tickers"] == [
        {"ticker": "AAPL", "exchange": "XNYS", "currency": "USD", "as_of": None},
        {"ticker": "PETR4.SA", "exchange": "BVMF", "currency": "BRL", "as_of": None},
    ]
    assert [line.split() for line in zenith("tickers", "list")[1].splitlines()][2] == ["PETR4.SA", "BVMF", "BRL", "–"]


@pytest.mark.parametrize("text", ["../../etc", "AAPL,", "AAPL.XX"])
def test_one_invalid_ticker_adds_none(zenith, text):
    status, _, errors = zenith("tickers", "add", "IBM", text)

    assert (status, errors.count("\n")) == (2, 1)
    assert json.loads(zenith("tickers", "list", "--json")[1]) == {"tickers": []}


def test_missing_ticker_cannot_be_removed(zenith):
    status, _, errors = zenith("tickers", "remove", "IBM")

    assert (status, errors) == (2, "zenith: IBM: not among the tickers, which `zenith tickers list` shows\n")


def test_setting_adds_the_tickers_of_an_exchange(zenith, monkeypatch):
    monkeypatch.setattr(exchanges, "EXCHANGES", dict(exchanges.EXCHANGES))
    monkeypatch.setenv("ZENITH_EXCHANGES", ".VX=XWBO:EUR:Europe/Vienna")

    assert zenith("tickers", "add", "OMV.VX", "--json")[:2] == (0, '{"added": ["OMV.VX"], "already_there": []}\n')
    monkeypatch.setattr(
        exchanges, "EXCHANGES", {key: value for key, value in exchanges.EXCHANGES.items() if key != ".VX"}
    )
    assert zenith("tickers", "remove", "OMV.VX", "--json")[:2] == (0, '{"removed": ["OMV.VX"]}\n')


def test_tickers_of_exchanges_that_are_unknown_here_are_said(zenith, monkeypatch):
    monkeypatch.setattr(exchanges, "EXCHANGES", dict(exchanges.EXCHANGES))
    monkeypatch.setenv("ZENITH_EXCHANGES", ".VX=XWBO:EUR:Europe/Vienna")
    zenith("tickers", "add", "OMV.VX")
    monkeypatch.delenv("ZENITH_EXCHANGES")
    monkeypatch.setattr(exchanges, "EXCHANGES", {key: exchanges.EXCHANGES[key] for key in ("", ".SA")})

    _, out, err = zenith("tickers", "list")

    assert out == ""
    assert err.startswith("zenith: not listed, because their exchange is unknown: OMV.VX; set ZENITH_EXCHANGES")
    assert json.loads(zenith("tickers", "list", "--json")[1]) == {"tickers": [], "of_unknown_exchanges": ["OMV.VX"]}


def test_a_ticker_is_renamed(zenith, monkeypatch):
    zenith("tickers", "add", "FB", "MSFT")

    status, text, errors = zenith("tickers", "rename", "fb", "META")

    assert (status, errors) == (0, "")
    assert text.splitlines()[0] == "renamed: FB is META now, with its prices, 0 models and forecasts"
    assert text.splitlines()[1].endswith("Next: `zenith run --tickers META`")
    assert [row["ticker"] for row in json.loads(zenith("tickers", "list", "--json")[1])["tickers"]] == ["META", "MSFT"]
    document = json.loads(zenith("tickers", "rename", "META", "FB", "--json")[1])
    assert (document["renamed"], document["to"]) == ("META", "FB")
    assert zenith("tickers", "rename", "META", "FB")[::2] == (2, "zenith: META was renamed already, to FB\n")
    assert zenith("tickers", "rename", "FB", "../x")[0] == 2

    monkeypatch.setenv("ZENITH_PRICE_SOURCE", "sample")
    hint = "Its source sample has no META yet: rename it there, or name another with --source"
    assert zenith("tickers", "rename", "FB", "META")[1].splitlines()[1].endswith(hint)


def test_a_rename_that_was_killed_is_named_in_the_list(zenith, tmp_path):
    publish(tmp_path / "home", "renamed", "FB", {"to": "META", "until": "2999-12-31", "models": [], "finished": False})

    errors = zenith("tickers", "list")[2]

    assert errors == ("zenith: the rename of FB to META is not finished: `zenith tickers rename FB META` finishes it\n")
