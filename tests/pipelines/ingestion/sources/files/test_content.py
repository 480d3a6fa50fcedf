"""Kinds of files: text, Parquet and Excel, compressed or not, and what is no price file."""

import gzip
import zipfile

import pandas as pd
import pytest

from zenith_core.errors import InvalidPrices
from zenith_pipelines.ingestion.sources.csv_folder import CsvFolderSource
from zenith_pipelines.ingestion.sources.files.price_file import PriceFile

PLAIN = "Date,Open,High,Low,Close,Volume\n2024-01-02,10,12,9,11,1000\n2024-01-03,11,13,10,12,1100\n"


def closes(path):
    return PriceFile(path).prices("AAPL", "America/New_York")["close"].tolist()


@pytest.mark.parametrize("name", ["AAPL.csv", "AAPL.txt", "AAPL.tsv", "AAPL.CSV"])
@pytest.mark.parametrize("packing", ["", ".gz", ".zip"])
def test_text_files_may_be_compressed(tmp_path, name, packing):
    path = tmp_path / f"{name}{packing}"
    if packing == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("data/AAPL.csv", PLAIN)
    else:
        path.write_bytes(gzip.compress(PLAIN.encode()) if packing else PLAIN.encode())
    assert CsvFolderSource(tmp_path).tickers() == ["AAPL"]
    assert closes(path) == [11.0, 12.0]


def test_parquet_may_be_compressed(tmp_path):
    index = pd.DatetimeIndex(["2024-01-02", "2024-01-03"], name="Date")
    table = pd.DataFrame({name: [1.5, 2.5] for name in ("Open", "High", "Low", "Close", "Volume")}, index=index)
    table.to_parquet(tmp_path / "x.parquet")
    (tmp_path / "AAPL.parquet.gz").write_bytes(gzip.compress((tmp_path / "x.parquet").read_bytes()))
    assert closes(tmp_path / "AAPL.parquet.gz") == [1.5, 2.5]


def test_parquet_with_text_in_its_columns(tmp_path):
    table = pd.read_csv(
        pd.io.common.StringIO(PLAIN.replace(",11,1000", ",1,234.5,1000".replace(",1,", ',"1,').replace(".5,", '.5",'))),
        dtype=str,
    )
    table.to_parquet(tmp_path / "AAPL.parquet")
    assert closes(tmp_path / "AAPL.parquet") == [1234.5, 12.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html><body>Please log in</body></html>", "it is a web page; expected the table itself"),
        (b"  <html>", "it is a web page"),
        (b'{"chart": {"result": null}}', "it is JSON; expected a table"),
        (b"PK\x03\x04rest", "it is a zip archive or an Excel workbook; expected its name to end with .zip or .xlsx"),
        (b"\x1f\x8brest", "it is compressed by gzip; expected its name to end with .gz"),
        (b"PAR1rest", "it is a Parquet file; expected its name to end with .parquet"),
        (b"%PDF-1.7", "it is a PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "it is an old Excel workbook; expected it saved as .xlsx or .csv"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "it is a pointer of Git LFS"),
        (b"\x00\x01\x02\x03\x00\xff" * 50, "it is binary; expected a text table"),
        (b"", "it is empty; expected a header and rows"),
        (b"hello\nworld\n", "it has no header of columns"),
    ],
)
def test_other_content_is_refused_by_the_name_of_what_it_is(tmp_path, content, message):
    (tmp_path / "AAPL.csv").write_bytes(content)
    with pytest.raises(InvalidPrices, match=f"AAPL.csv cannot be read as csv: {message}") as error:
        CsvFolderSource(tmp_path).fetch("AAPL")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("AAPL.csv.gz", b"no gzip", "Not a gzipped file"),
        ("AAPL.csv.gz", gzip.compress(PLAIN.encode(), mtime=0)[:40], "ended before the end-of-stream marker"),
        ("AAPL.zip", b"no zip", "File is not a zip file"),
        ("AAPL.parquet", b"PAR1 but not really", "cannot be read as parquet"),
    ],
)
def test_damaged_archives_are_refused_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidPrices, match=message) as error:
        CsvFolderSource(tmp_path).fetch("AAPL")
    assert "\n" not in str(error.value)


def test_an_archive_of_several_files_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "AAPL.zip", "w") as archive:
        archive.writestr("a.csv", PLAIN)
        archive.writestr("b.csv", PLAIN)
    with pytest.raises(InvalidPrices, match=r"it holds a\.csv, b\.csv; expected one \.csv, \.txt or \.tsv file"):
        CsvFolderSource(tmp_path).fetch("AAPL")


@pytest.mark.parametrize("end", ["2024-01-0", "2024-01-04,12,13", "2024-01-04,12,13,11,12", "\nSource: example.org\n"])
def test_nothing_of_a_row_that_was_cut_off_counts(tmp_path, end):
    (tmp_path / "AAPL.csv").write_text(PLAIN + end)
    prices = PriceFile(tmp_path / "AAPL.csv").prices("AAPL", "UTC")
    assert prices["open"].dropna().tolist() == [10.0, 11.0]
    assert prices.index.isna().tolist() == [False, False, True]


def test_a_short_row_before_the_end_is_refused_with_its_line(tmp_path):
    (tmp_path / "AAPL.csv").write_text(PLAIN.replace("2024-01-02,10,", "2024-01-02,"))
    with pytest.raises(InvalidPrices, match=r"cannot be read as csv: line 2 has 5 columns, the header has 6"):
        PriceFile(tmp_path / "AAPL.csv").prices("AAPL", "UTC")


def test_notes_in_the_folder_are_left_out(tmp_path):
    (tmp_path / "AAPL.csv").write_text(PLAIN)
    (tmp_path / "README.txt").write_text("Prices, as downloaded.\n")
    (tmp_path / "empty.tsv").write_text("")
    (tmp_path / "prices.toml").write_text("")
    assert CsvFolderSource(tmp_path).tickers() == ["AAPL"]
