"""Price files that cannot be believed: one line each on stderr, exit status 2, and nothing of them stored."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zenith_cli.main import main

ROWS = "Date,Open,High,Low,Close,Volume\n2024-01-02,1,2,1,2,100\n"

BAD = {
    "LACKS": ROWS.replace(",Low", ",Bottom").encode(),
    "BYTES": b"\xff\xfe\x00\x81PK\x03\x04",
    "GROUPED": ROWS.replace(",2,100", ',"1,234.50",100').encode(),
}
SAID = {
    "LACKS": "LACKS.csv has no column low; it has Date, Open, High, Bottom, Close, Volume; expected date, open",
    "BYTES": "BYTES.csv cannot be read as csv: ",
    "GROUPED": "GROUPED.csv, line 2, column close: '1,234.50' is not a number; expected digits and a decimal point",
}


@pytest.mark.slow
def test_each_bad_file_is_one_line_and_nothing_of_it_is_stored(tmp_path):
    home, folder = tmp_path / "home", tmp_path / "prices"
    folder.mkdir()
    for ticker, content in BAD.items():
        (folder / f"{ticker}.csv").write_bytes(content)

    done = subprocess.run(
        [Path(sys.executable).with_name("zenith"), "run", "--csv-dir", folder, "--jobs", "1", "--json"],
        env={**os.environ, "ZENITH_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    lines = sorted(done.stderr.splitlines())
    assert len(lines) == len(BAD)
    for line, ticker in zip(lines, sorted(BAD), strict=True):
        assert line.startswith(f"zenith: {ticker} failed: raw_prices: ")
        assert SAID[ticker] in line
    assert {name: told["status"] for name, told in json.loads(done.stdout)["tickers"].items()} == dict.fromkeys(
        sorted(BAD), "failed"
    )
    assert not [path for path in (home / "data").rglob("*") if path.is_file()]


def test_an_export_to_a_folder_that_is_not_there_names_it(monkeypatch, capsys, tmp_path, export_of_aapl):
    target = tmp_path / "nowhere" / "prices.csv"
    monkeypatch.setattr("sys.argv", ["zenith", "export", "AAPL", "raw", "-o", str(target)])

    with pytest.raises(SystemExit) as exit:
        main()

    assert exit.value.code == 2
    assert capsys.readouterr().err == (
        f"zenith: {target.parent} is not a folder: make it first, or name a file in one that is there\n"
    )
    assert not target.parent.exists()


@pytest.fixture
def export_of_aapl(monkeypatch, tmp_path):
    import pandas as pd

    from zenith_pipelines.datasets.store import Dataset, DatasetStore
    from zenith_pipelines.settings import Settings

    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "home"))
    table = pd.DataFrame({"close": [1.0]}, index=pd.DatetimeIndex(["2024-01-02"], name="date"))
    DatasetStore(Settings().data_uri).write("raw_prices", "AAPL", Dataset({"prices": table}))
