"""A file that is too large for memory gives what it gives when it is read whole."""

import gzip

import pandas as pd
import pytest

from zenith_core.errors import InvalidPrices, NoNewData
from zenith_pipelines.ingestion.sources.files import content, long_file, price_file
from zenith_pipelines.ingestion.sources.files.price_file import PriceFile

HEADER = "Date,Ticker,Open,High,Low,Close,Volume\n"
TICKERS = ["0005.HK", "AAPL", "NA", "PETR4.SA", "VALE3.SA"]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Let a few rows be a long file: blocks of two lines, groups of eight rows."""
    monkeypatch.setattr(long_file, "LONG", 100)
    monkeypatch.setattr(long_file, "_BLOCK", 100)
    monkeypatch.setattr(long_file, "_BLOCK_ROWS", 3)
    monkeypatch.setattr(long_file, "_GROUP_ROWS", 8)
    monkeypatch.setattr(content, "_NOTES", 20)
    monkeypatch.setattr(price_file, "read_bytes", lambda path, _: pytest.fail(f"{path} is read whole"))


def rows(date="2024-01-{day:02}", number="{:.2f}", first=1234.5):
    """Four days of each ticker, day by day."""
    for day in range(2, 6):
        for at, ticker in enumerate(TICKERS):
            price = number.format(first + 10 * at + day)
            yield f"{date.format(day=day)};{ticker};{price};{price};{price};{price};{100 * at + day}"


def text(lines, header=HEADER):
    return header.replace(",", ";") + "".join(f"{line}\n" for line in lines)


def closes(file, ticker):
    return file.prices(ticker, "UTC")["close"].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_each_ticker_has_its_rows_in_any_encoding(tmp_path, encoding, line_end, is_packed):
    notes = ["", "Fonte: preços ajustados"] if encoding == "cp1252" else []
    content = text([*rows(), *notes]).replace("\n", line_end).encode(encoding)
    path = tmp_path / ("all.csv.gz" if is_packed else "all.csv")
    path.write_bytes(gzip.compress(content) if is_packed else content)

    file = PriceFile(path)

    assert file.tickers == TICKERS
    for at in (3, 0, 4, 1, 2):
        prices = file.prices(TICKERS[at], "UTC").dropna(subset="close")
        assert prices["close"].tolist() == [1234.5 + 10 * at + day for day in range(2, 6)]
        assert [f"{day:%Y-%m-%d}" for day in prices.index] == [f"2024-01-0{day}" for day in range(2, 6)]
    file.forget_rows()
    assert closes(file, "AAPL")[0] == 1246.5


@pytest.mark.slow
def test_parquet_is_read_in_blocks(tmp_path):
    table = pd.DataFrame([line.split(";") for line in rows()], columns=HEADER.strip().split(","))
    table = table.astype(dict.fromkeys(table.columns[2:], float)).assign(Date=pd.to_datetime(table["Date"]))
    table.astype({"Ticker": "category"}).set_index(["Date", "Ticker"]).to_parquet(tmp_path / "all.parquet")

    file = PriceFile(tmp_path / "all.parquet")

    assert file.tickers == TICKERS
    assert closes(file, "VALE3.SA") == [1276.5, 1277.5, 1278.5, 1279.5]


@pytest.mark.slow
def test_the_whole_file_settles_what_a_ticker_leaves_open(tmp_path):
    """The ticker's own rows have no day above 12 and no number that only one mark fits; the last row of all has."""
    path = tmp_path / "all.csv"
    open_rows = [*rows(date="{day:02}/02/2024", number="{:.3f}", first=100.5)]
    path.write_text(text(open_rows))
    with pytest.raises(InvalidPrices, match=r"no date shows if 02/02/2024 has the day or the month first"):
        PriceFile(path).prices("AAPL", "UTC")

    path.write_text(text([*open_rows, *["28/02/2024;NA;1.50;1.50;1.50;1.50;7"] * 4]))
    prices = PriceFile(path).prices("AAPL", "UTC")
    assert [f"{day:%m-%d}" for day in prices.index] == ["02-02", "02-03", "02-04", "02-05"]
    assert prices["close"].tolist() == [112.5, 113.5, 114.5, 115.5]

    path.write_text(text([*open_rows, *["28/02/2024;NA;1,50;1,50;1,50;1,50;7"] * 4]))
    assert closes(PriceFile(path), "AAPL") == [112_500, 113_500, 114_500, 115_500]

    path.write_text(text([*open_rows, "28/02/2024;NA;1.50;1.50;1.50;1.50;7", "02/28/2024;NA;1,50;1,50;1,50;1,50;7"]))
    with pytest.raises(InvalidPrices, match="28/02/2024 has the day first, 02/28/2024 the month"):
        PriceFile(path).prices("AAPL", "UTC")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2024-01-05;NA;1;1;1;1;1;1", "line 10 has 8 columns, the header has 7"),
        ("2024-01-05;NA;1;1", "line 10 has 4 columns, the header has 7"),
        ("2024-01-05;;1;1;1;1;1", "column ticker: some rows have no ticker"),
        ("2024-01-05;a b;1;1;1;1;1", "column ticker: 'A B' is not a ticker"),
    ],
)
def test_an_odd_row_in_the_middle_is_refused(tmp_path, line, message):
    lines = [*rows()]
    (tmp_path / "all.csv").write_text(text([*lines[:8], line, *lines[8:]]))
    with pytest.raises(InvalidPrices, match=message):
        PriceFile(tmp_path / "all.csv").tickers  # noqa: B018


def test_a_bad_number_is_named_with_its_line(tmp_path):
    lines = [*rows()]
    lines[9] = lines[9].replace("1277", "12x7")
    (tmp_path / "all.csv").write_text(text(lines))
    with pytest.raises(InvalidPrices, match=r"all\.csv, line 11, column open: '12x7.50' is not a number"):
        PriceFile(tmp_path / "all.csv").prices(TICKERS[4], "UTC")


def test_more_rows_than_a_ticker_can_have_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(long_file, "MAX_ROWS", 6)
    (tmp_path / "all.csv").write_text(text(rows()))
    assert len(closes(PriceFile(tmp_path / "all.csv"), "AAPL")) == 4
    one = [f"2024-01-{day:02};1.5;1.5;1.5;1.5;1" for day in range(2, 20)]
    (tmp_path / "AAPL.csv").write_text(text(one, HEADER.replace("Ticker,", "")))
    with pytest.raises(InvalidPrices, match=r"AAPL\.csv has more than 6 rows of one ticker; expected one for each"):
        PriceFile(tmp_path / "AAPL.csv").prices("AAPL", "UTC")
    (tmp_path / "twice.csv").write_text(text([*rows(), *rows()]))
    with pytest.raises(InvalidPrices, match=r"twice\.csv has more than 6 rows of one ticker"):
        PriceFile(tmp_path / "twice.csv").prices("AAPL", "UTC")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER.encode() + b"\n" * 200, "has no rows"),
        (HEADER.encode() + b"x" * 300, "a line has more than 100 characters; expected a row"),
    ],
)
def test_a_long_file_without_rows_is_refused(tmp_path, content, message):
    (tmp_path / "AAPL.csv").write_bytes(content)
    with pytest.raises((InvalidPrices, NoNewData), match=message):
        PriceFile(tmp_path / "AAPL.csv").prices("AAPL", "UTC")
