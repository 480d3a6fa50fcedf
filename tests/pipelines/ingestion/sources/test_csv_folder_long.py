"""Files with a ticker column: many tickers in one."""

import pandas as pd
import pytest

from zenith_core.errors import InvalidPrices, InvalidTicker, NoNewData, UnknownTicker, UserError
from zenith_pipelines.ingestion.sources.csv_folder import CsvFolderSource

LONG = """Date,Ticker,Open,High,Low,Close,Volume,Dividends
2024-01-02,PETR4.SA,10,12,9,11,1000,0
2024-01-02,aapl,100,120,90,110,5000,0.24
2024-01-03,PETR4.SA,11,13,10,12,1100,
2024-01-03, AAPL ,110,130,100,120,5500,
"""
PLAIN = "Date,Open,High,Low,Close,Volume\n2024-01-02,1,1,1,1,1\n"
NUMBERS = {"open": [1.0, 2.0], "high": [1.0, 2.0], "low": [1.0, 2.0], "close": [1.0, 2.0], "volume": [5, 6]}


@pytest.fixture
def folder(tmp_path):
    def fill(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
        return CsvFolderSource(tmp_path)

    return fill


def test_one_file_has_many_tickers(folder):
    source = folder(everything=LONG)
    assert source.tickers() == ["AAPL", "PETR4.SA"]
    assert source.fetch("PETR4.SA").prices["close"].tolist() == [11.0, 12.0]
    aapl = source.fetch("AAPL").prices
    assert aapl["close"].tolist() == [110.0, 120.0]
    assert aapl["dividends"].tolist() == [0.24, 0.0]
    assert [f"{day:%Y-%m-%d}" for day in aapl.index] == ["2024-01-02", "2024-01-03"]


@pytest.mark.parametrize("header", ["symbol", "TICKER", "Symbol "])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_ticker_column_may_have_other_names_and_separators(folder, header, separator):
    assert folder(all=LONG.replace("Ticker", header).replace(",", separator)).tickers() == ["AAPL", "PETR4.SA"]


def test_tickers_that_look_like_numbers_or_missing_values_are_text(folder):
    rows = "".join(f"2024-01-02,{ticker},1,1,1,1,1\n" for ticker in ("0005", "NA", "NAN", "1E5"))
    source = folder(all="Date,Ticker,Open,High,Low,Close,Volume\n" + rows)
    assert source.tickers() == ["0005", "1E5", "NA", "NAN"]
    assert len(source.fetch("0005").prices) == 1


def test_files_of_one_and_of_many_tickers_stand_side_by_side(folder):
    assert folder(all=LONG, MSFT=PLAIN).tickers() == ["AAPL", "MSFT", "PETR4.SA"]


def test_a_ticker_in_two_files_is_refused(folder):
    with pytest.raises(UserError, match=r"two files for AAPL: AAPL\.csv, all\.csv"):
        folder(all=LONG, AAPL=PLAIN).fetch("AAPL")


def test_the_error_for_a_missing_ticker_lists_all_tickers(folder):
    with pytest.raises(UnknownTicker, match=r"has no MSFT; it has AAPL, PETR4\.SA"):
        folder(all=LONG).fetch("MSFT")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("../etc", "'../ETC' is not a ticker"),
        ("Apple Inc.", "'APPLE INC.' is not a ticker"),
        ("", "some rows have no ticker"),
    ],
)
def test_rows_without_a_valid_ticker_are_refused(folder, text, message):
    with pytest.raises(InvalidPrices, match=f"all.csv, column ticker: {message}"):
        folder(all=LONG.replace("aapl", text)).tickers()


def test_a_ticker_column_with_the_files_own_name_or_a_comment_is_ignored(folder):
    def text(name):
        return f"Symbol,{PLAIN}".replace("\n2024", f"\n{name},2024")

    source = folder(AAPL=text("aapl"), MSFT=text("Microsoft Corp."), IBM=text(""))
    assert source.tickers() == ["AAPL", "IBM", "MSFT"]
    assert source.fetch("MSFT").prices["close"].tolist() == [1.0]


def test_a_file_with_one_ticker_may_have_any_name(folder):
    source = folder(prices=LONG.replace("aapl", "PETR4.SA").replace(" AAPL ", "PETR4.SA"))
    assert source.tickers() == ["PETR4.SA"]
    assert len(source.fetch("PETR4.SA").prices) == 4


def test_the_error_for_a_bad_number_names_its_line(folder):
    with pytest.raises(InvalidPrices, match=r"all\.csv, line 5, column close: '1.2e' is not a number"):
        folder(all=LONG.replace(",120,5500", ",1.2e,5500")).fetch("AAPL")


def test_a_list_of_companies_is_no_price_file(folder):
    assert folder(symbols_meta="Symbol,Name\nAAPL,Apple\nMSFT,Microsoft\n", AAPL=PLAIN).tickers() == ["AAPL"]


def test_a_header_alone_has_no_data(folder):
    with pytest.raises(NoNewData, match="has no rows"):
        folder(all=LONG.splitlines()[0] + "\n").tickers()


def test_parquet_with_a_ticker_column_of_categories(tmp_path):
    table = pd.DataFrame({**NUMBERS, "ticker": pd.Categorical(["A", "B"]), "date": ["2024-01-02", "2024-01-03"]})
    table.to_parquet(tmp_path / "all.parquet")
    source = CsvFolderSource(tmp_path)
    assert source.tickers() == ["A", "B"]
    assert source.fetch("B").prices["volume"].tolist() == [6.0]


def test_parquet_with_date_and_ticker_as_the_index(tmp_path):
    index = pd.MultiIndex.from_product([pd.to_datetime(["2024-01-02"]), ["A", "B"]], names=["Date", "Ticker"])
    pd.DataFrame(NUMBERS, index=index).to_parquet(tmp_path / "all.parquet")
    prices = CsvFolderSource(tmp_path).fetch("A").prices
    assert prices["close"].to_dict() == {pd.Timestamp("2024-01-02"): 1.0}


def wide(*tickers):
    """Return a table as `yf.download` does for the tickers."""
    columns = pd.MultiIndex.from_product(
        [["Close", "High", "Low", "Open", "Volume"], tickers], names=["Price", "Ticker"]
    )
    index = pd.DatetimeIndex(["2024-01-02"], name="Date")
    return pd.DataFrame([[float(number) for number in range(1, len(columns) + 1)]], index=index, columns=columns)


def test_downloads_of_yfinance_for_one_ticker_are_read(tmp_path):
    wide("AAPL").to_parquet(tmp_path / "AAPL.parquet")
    wide("MSFT").to_csv(tmp_path / "MSFT.csv")
    source = CsvFolderSource(tmp_path)
    assert source.tickers() == ["AAPL", "MSFT"]
    for ticker in source.tickers():
        assert source.fetch(ticker).prices[["close", "volume"]].iloc[0].tolist() == [1.0, 5.0]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_columns_of_several_tickers_are_refused(tmp_path, suffix):
    getattr(wide("AAPL", "MSFT"), f"to_{suffix}")(tmp_path / f"MSFT.{suffix}")
    with pytest.raises(InvalidPrices, match="columns of several tickers, AAPL, MSFT; expected one file per ticker"):
        CsvFolderSource(tmp_path).fetch("MSFT")


def test_a_ticker_cannot_leave_the_folder(folder):
    with pytest.raises(InvalidTicker):
        folder(all=LONG).fetch("../all")
