"""`zenith prices check`: how each file would be read, before anything is stored."""

import json

import pytest

from tests.pipelines.ingestion.sources.files.written_forms import FORMS, true_table
from zenith_cli.prices import check_files
from zenith_core.errors import UserError

TRUTH = true_table(60)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "home"))
    prices = tmp_path / "prices"
    prices.mkdir()

    def fill(**files):
        for name, text in files.items():
            (prices / name.replace("_csv", ".csv")).write_text(text, encoding="utf-8")
        return prices

    return fill


def written(name):
    return next(form for form in FORMS if form.name == name).write(TRUTH)


def test_each_file_is_shown_as_it_would_be_read_and_nothing_is_stored(folder, capsys, tmp_path):
    prices = folder(AAPL_csv=written("Investing.com (pt)"), MSFT_csv=written("Nasdaq.com"))
    assert check_files(prices, as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    first, last = TRUTH.iloc[0], TRUTH.iloc[-1]
    assert lines[0] == "AAPL.csv · AAPL · Investing.com (pt) · 60 rows, 60 sessions, 0 splits, 0 dividends"
    assert lines[1].startswith(f"    first 2024-01-02  open {first.open:,.10g}  high {first.high:,.10g}")
    assert lines[2].startswith(f"    last  {TRUTH.index[-1]:%Y-%m-%d}  open {last.open:,.10g}")
    assert lines[3].startswith("MSFT.csv · MSFT · Nasdaq.com · 60 rows")
    assert lines[-1] == "2 would be read, 0 refused; nothing was stored"
    assert not (tmp_path / "home").exists()


def test_splits_dividends_and_doubts_are_in_the_json(folder, capsys):
    table = TRUTH.rename_axis("date").assign(dividends=0.0, splits=0.0)
    table.loc[table.index[10], "dividends"] = 0.25
    table.loc[table.index[20], "splits"] = 2
    table.loc[table.index[20] :, ["open", "high", "low", "close"]] /= 2
    table["adj_close"] = table["close"] * (table.index >= table.index[10]).astype(float).clip(0.999)
    table.loc[table.index[30], "low"] = 1e9
    assert check_files(folder(AAPL_csv=table.to_csv()), as_json=True) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert (file["rows"], file["sessions"], file["splits"], file["dividends"]) == (60, 60, 1, 1)
    assert file["first"] == {"date": "2024-01-02", **TRUTH.iloc[0].to_dict()}
    assert file["remarks"] == [f"split on {TRUTH.index[20]:%Y-%m-%d}: 2:1"]
    assert file["doubts"][0] == "quarantined: low above high (1)"
    assert file["problem"] is None


def test_a_refused_file_is_status_2_with_its_reason_and_the_others_are_still_shown(folder, capsys):
    late = (TRUTH.index >= TRUTH.index[30]).astype(float) * 99 + 1
    switched = TRUTH.mul(late, axis=0).rename_axis("date")
    prices = folder(AAPL_csv=switched.to_csv(), IBM_csv="<html>", MSFT_csv=written("plain"))
    assert check_files(prices, as_json=True) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["refused"] == 2
    problems = [file["problem"] for file in answer["files"]]
    assert problems[0].startswith(f"AAPL: the close changes ×100 on {TRUTH.index[30]:%Y-%m-%d}, which looks like")
    assert "it is a web page" in problems[1]
    assert problems[2] is None


def test_a_file_that_would_be_left_out_says_so(folder, capsys):
    assert check_files(folder(**{"my prices.csv": written("plain")}), as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("doubtful: its name is no ticker, so it is left out" in line for line in lines)
    assert lines[-1] == "0 would be read, 1 left out without a ticker, 0 refused; nothing was stored"


def test_a_second_file_of_a_ticker_is_refused(folder, capsys):
    prices = folder(AAPL_csv=written("plain"), **{"AAPL.txt": written("plain")})
    assert check_files(prices, as_json=False) == 2
    assert "has two files for AAPL: AAPL.csv, AAPL.txt" in capsys.readouterr().out


def test_many_impossible_rows_are_refused(folder, capsys):
    table = TRUTH.rename_axis("date")
    table.iloc[5:15, 2] = 1e9
    assert check_files(folder(AAPL_csv=table.to_csv()), as_json=False) == 2
    assert (
        "refused: 16.7% of its rows are impossible, at most 5% may be: low above high (10, first 2024-01-09"
        in capsys.readouterr().out
    )


def test_a_folder_without_price_files_is_refused(folder, tmp_path):
    with pytest.raises(UserError, match="holds no price file"):
        check_files(folder(), as_json=False)
    with pytest.raises(UserError, match="no such file or folder; expected a price file, or a folder"):
        check_files(tmp_path / "absent", as_json=False)


def test_one_file_is_read_alone(folder, capsys):
    prices = folder(AAPL_csv=TRUTH.rename_axis("date").to_csv(), IBM_csv="no prices")

    assert check_files(prices / "AAPL.csv", as_json=False) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("AAPL.csv · AAPL · plain · 60 rows")
    assert lines[-1] == "1 would be read, 0 refused; nothing was stored"


def test_a_file_of_another_kind_is_refused(folder):
    picture = folder() / "AAPL.png"
    picture.write_bytes(b"")

    with pytest.raises(UserError, match="AAPL.png is no price file: expected .csv, .txt, .tsv, .parquet or .xlsx"):
        check_files(picture, as_json=False)
