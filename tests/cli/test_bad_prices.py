"""Invalid price files: one line each on stderr, exit status 2, nothing stored."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROWS = "Date,Open,High,Low,Close,Volume\n2024-01-02,1,2,1,2,100\n"

BAD = {
    "LACKS": ROWS.replace(",Low", ",Bottom").encode(),
    "BYTES": b"\xff\xfe\x00\x81PK\x03\x04",
    "GROUPED": ROWS.replace(",2,100", ',"1,234.50",100').encode(),
}
MESSAGES = {
    "LACKS": "LACKS.csv has no column low; it has Date, Open, High, Bottom, Close, Volume; expected date, open",
    "BYTES": "BYTES.csv cannot be read as csv: ",
    "GROUPED": "GROUPED.csv, line 2, column close: '1,234.50' is not a number; expected digits and a decimal point",
}


@pytest.mark.slow
def test_each_invalid_file_gives_one_line_and_stores_nothing(tmp_path):
    home, folder = tmp_path / "home", tmp_path / "prices"
    folder.mkdir()
    for ticker, content in BAD.items():
        (folder / f"{ticker}.csv").write_bytes(content)

    result = subprocess.run(
        [Path(sys.executable).with_name("zenith"), "run", "--csv-dir", folder, "--jobs", "1", "--json"],
        env={**os.environ, "ZENITH_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 2
    lines = sorted(result.stderr.splitlines())
    assert len(lines) == len(BAD)
    for line, ticker in zip(lines, sorted(BAD), strict=True):
        assert line.startswith(f"zenith: {ticker} failed: raw_prices: ")
        assert MESSAGES[ticker] in line
    assert {name: outcome["status"] for name, outcome in json.loads(result.stdout)["tickers"].items()} == dict.fromkeys(
        sorted(BAD), "failed"
    )
    assert not [path for path in (home / "data").rglob("*") if path.is_file()]


@pytest.mark.usefixtures("aapl_prices")
def test_export_to_a_missing_folder_names_it(zenith, tmp_path):
    target = tmp_path / "nowhere" / "prices.csv"

    status, _, err = zenith("export", "AAPL", "raw", "-o", str(target))

    assert status == 2
    assert err == f"zenith: {target.parent} is not a folder: create it, or name a file in an existing folder\n"
    assert not target.parent.exists()


@pytest.fixture
def aapl_prices(monkeypatch, tmp_path):
    import pandas as pd

    from zenith_pipelines.datasets.store import Dataset, DatasetStore
    from zenith_pipelines.settings import Settings

    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "home"))
    table = pd.DataFrame({"close": [1.0]}, index=pd.DatetimeIndex(["2024-01-02"], name="date"))
    DatasetStore(Settings().data_uri).write("raw_prices", "AAPL", Dataset({"prices": table}))
