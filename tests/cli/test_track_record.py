import json

import numpy as np
import pytest

from tests.core.evaluation.test_track_record import ledger
from zenith_cli.main import main
from zenith_pipelines.datasets.store import Dataset, DatasetStore


@pytest.fixture
def store(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    return DatasetStore(str(tmp_path / "data"))


@pytest.fixture
def zenith(monkeypatch, capsys, store):
    """Run `zenith track-record` on a ledger; return its exit status, stdout and stderr."""

    def run(table, *arguments):
        if table is not None:
            store.write("forecast_ledger", "AAPL", Dataset({"forecasts": table}))
        monkeypatch.setattr("sys.argv", ["zenith", "track-record", "AAPL", *arguments])
        with pytest.raises(SystemExit) as exit:
            main()
        output = capsys.readouterr()
        return exit.value.code or 0, output.out, output.err

    return run


def test_what_came_is_shown_beside_what_was_forecast(zenith):
    status, text, _ = zenith(ledger(3).assign(actual=[104.0, 110.0, np.nan]))

    lines = [line.split() for line in text.splitlines()]
    assert status == 0
    assert ["1", "2", "50%", "5.00%", "7.00%"] in lines
    assert ["5", "0", "–", "–", "–"] in lines
    assert ["2026-01-02", "2026-01-05", "102.00", "98.00–106.00", "110.00", "outside"] in lines


def test_where_nothing_has_matured_it_says_so_and_when_something_will(zenith):
    _, text, _ = zenith(ledger(2).assign(actual=np.nan))

    assert text == "AAPL: nothing has matured yet. The first forecast to be scored is for 2026-01-02.\n"


def test_forecasts_of_old_prices_are_not_passed_off_as_a_record(zenith):
    _, came, _ = zenith(ledger(2, made_after=9))
    _, unknown, _ = zenith(ledger(2, made_after=9).assign(actual=np.nan))

    assert came.startswith("AAPL: nothing has matured yet. No forecast was made before the day it is for")
    assert "made when it was known" in came
    assert unknown.startswith("AAPL: nothing has matured yet. No forecast was made before the day it is for")


def test_programs_get_the_record_that_the_service_answers(zenith):
    record = json.loads(zenith(ledger(3), "--json")[1])

    assert (record["ticker"], len(record["forecasts"]), record["summary"]["1"]["matured"]) == ("AAPL", 3, 3)


def test_a_ticker_without_forecasts_is_told_how_to_get_some(zenith):
    assert zenith(None)[::2] == (2, "zenith: no forecast_ledger for AAPL yet: `zenith run --tickers AAPL` makes it\n")
