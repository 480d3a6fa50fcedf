"""Invalid price files: one line each on stderr, exit status 2, nothing stored."""

import json

import pytest

from tests.empty_databases import put_dagster_databases
from tests.runs_here import run_tickers_here

ROWS = "Date,Open,High,Low,Close,Volume\n2024-01-02,1,2,1,2,100\n"

BAD = {
    "LACKS": ROWS.replace(",Low", ",Bottom").encode(),
    "BYTES": b"\xff\xfe\x00\x81PK\x03\x04",
    "GROUPED": ROWS.replace(",2,100", ',"1,23.50",100').encode(),
}
MESSAGES = {
    "LACKS": "LACKS.csv has no column low; it has Date, Open, High, Bottom, Close, Volume; expected date, open",
    "BYTES": "BYTES.csv cannot be read as csv: ",
    "GROUPED": "GROUPED.csv, line 2, column close: '1,23.50' is not a number; expected numbers such as 1234.5",
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")  # Dagster's own, of itself
def test_each_invalid_file_gives_one_line_and_stores_nothing(zenith, tmp_path, monkeypatch):
    home, folder = tmp_path / "home", tmp_path / "prices"
    run_tickers_here(monkeypatch)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(home))
    put_dagster_databases(home)
    folder.mkdir()
    for ticker, content in BAD.items():
        (folder / f"{ticker}.csv").write_bytes(content)

    status, out, err = zenith("run", "--csv-dir", str(folder), "--json")

    assert status == 2
    lines = sorted(err.splitlines())
    assert len(lines) == len(BAD)
    for line, ticker in zip(lines, sorted(BAD), strict=True):
        assert line.startswith(f"zenith: {ticker} failed: raw_prices: ")
        assert MESSAGES[ticker] in line
    assert {name: outcome["status"] for name, outcome in json.loads(out)["tickers"].items()} == dict.fromkeys(
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
