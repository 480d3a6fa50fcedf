import numpy as np
import pandas as pd
import pytest

from zenith_core.errors import InvalidPrices, InvalidTicker, NoNewData, UnknownTicker, UserError
from zenith_pipelines.ingestion.sources import make_source
from zenith_pipelines.ingestion.sources.csv_folder import CsvFolderSource

PLAIN = """Date,Open,High,Low,Close,Volume
2024-01-02,10,12,9,11,1000
2024-01-03,11,13,10,12,1100
"""


@pytest.fixture
def folder(tmp_path):
    def fill(**files):
        for name, text in files.items():
            (tmp_path / name.replace("_csv", ".csv")).write_text(text, encoding="utf-8")
        return CsvFolderSource(tmp_path)

    return fill


def dates(prices):
    return [None if pd.isna(day) else f"{day:%Y-%m-%d}" for day in prices.index]


def test_a_plain_file(folder):
    raw = folder(AAPL_csv=PLAIN).fetch("AAPL")
    assert dates(raw.prices) == ["2024-01-02", "2024-01-03"]
    assert raw.prices.iloc[1].to_dict() == {
        "open": 11.0,
        "high": 13.0,
        "low": 10.0,
        "close": 12.0,
        "volume": 1100.0,
        "dividends": 0.0,
        "splits": 0.0,
    }
    assert raw.source == "csv"
    assert raw.prices.index.name == "date" and raw.prices.index.dtype == "datetime64[ns]"


def test_columns_may_have_any_order_and_case_with_others_between(folder):
    text = (
        "Volume,adj_close,LOW,close,Dolar,High, open ,Stock Splits,Dividends,timestamp\n1,2,3,4,5,6,7,8,,2024-01-02\n"
    )
    prices = folder(AAPL_csv=text).fetch("AAPL").prices
    assert prices.iloc[0].to_dict() == {
        "open": 7.0,
        "high": 6.0,
        "low": 3.0,
        "close": 4.0,
        "volume": 1.0,
        "dividends": 0.0,
        "splits": 8.0,
        "adj_close": 2.0,
    }


@pytest.mark.parametrize("header", ["Adj Close", "adj_close", "AdjClose", "ADJ. CLOSE", "Adjusted Close"])
def test_the_adjusted_close_has_many_names(folder, header):
    text = PLAIN.replace("Volume", f"Volume,{header}").replace("1000\n", "1000,5.5\n").replace("1100\n", "1100,6\n")
    assert folder(AAPL_csv=text).fetch("AAPL").prices["adj_close"].tolist() == [5.5, 6.0]


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024-01-02 00:00:00-03:00", "2024-01-02"),
        ("2024-01-02T00:00:00Z", "2024-01-02"),
        ("2024-01-02 03:00:00+00:00", "2024-01-02"),
        ("2024-01-02 01:30:00+00:00", "2024-01-01"),  # still New Year's Day in São Paulo
        ("2024-01-02 17:30:00", "2024-01-02"),
        ("2024-01-02T10:00:00.123-0300", "2024-01-02"),
        ("20240102", "2024-01-02"),
        (" 2024-01-02 ", "2024-01-02"),
        ("", None),
    ],
)
def test_times_become_the_local_date_of_the_exchange(folder, text, date):
    text = f"Date,Open,High,Low,Close,Volume\n{text},1,1,1,1,1\n2024-01-05,1,1,1,1,1\n"
    assert dates(folder(**{"PETR4.SA.csv": text}).fetch("PETR4.SA").prices) == [date, "2024-01-05"]


def test_dates_across_a_change_of_daylight_saving_time(folder):
    text = PLAIN.replace("2024-01-02", "2018-11-01 00:00:00-03:00").replace("2024-01-03", "2018-11-05 00:00:00-02:00")
    assert dates(folder(**{"PETR4.SA.csv": text}).fetch("PETR4.SA").prices) == ["2018-11-01", "2018-11-05"]


@pytest.mark.parametrize("text", ["02/01/2024", "1704153600", "yesterday", "2024-13-01", "20241301", "1.5"])
def test_another_date_format_is_refused(folder, text):
    with pytest.raises(InvalidPrices, match=r"AAPL\.csv.*is not a date; expected a date such as 2024-01-31"):
        folder(AAPL_csv=PLAIN.replace("2024-01-03", text)).fetch("AAPL")


def test_rows_without_a_date_or_a_price_stay_for_quarantine(folder):
    prices = folder(AAPL_csv=PLAIN + ",,,,,\n2024-01-04,,,,null,\n").fetch("AAPL").prices
    assert dates(prices) == ["2024-01-02", "2024-01-03", None, "2024-01-04"]
    assert np.isnan(prices["close"].to_numpy()[2:]).all()


@pytest.mark.parametrize("text", ["1.234.5", "12 13", "12a", '"1,2.5"'])
def test_the_error_for_text_in_place_of_a_number_names_file_column_and_line(folder, text):
    with pytest.raises(InvalidPrices, match=r"AAPL\.csv, line 3, column close: .* is not a number"):
        folder(AAPL_csv=PLAIN.replace(",12,1100", f",{text},1100")).fetch("AAPL")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators(folder, separator):
    assert folder(AAPL_csv=PLAIN.replace(",", separator)).fetch("AAPL").prices["close"].tolist() == [11.0, 12.0]


def test_a_byte_order_mark(folder):
    assert len(folder(AAPL_csv="\ufeff" + PLAIN).fetch("AAPL").prices) == 2


def test_the_three_header_lines_of_yfinance_download(folder):
    header = "Price,Close,High,Low,Open,Volume\nTicker,AAPL,AAPL,AAPL,AAPL,AAPL\nDate,,,,,\n"
    prices = folder(AAPL_csv=header + "2024-01-02,11,12,9,10,1000\n").fetch("AAPL").prices
    assert prices.iloc[0, :5].tolist() == [10.0, 12.0, 9.0, 11.0, 1000.0]


def test_the_error_for_a_missing_column_lists_the_columns(folder):
    with pytest.raises(InvalidPrices, match=r"AAPL\.csv has no column low, volume; it has Date, Open, High, Close;"):
        folder(AAPL_csv="Date,Open,High,Close\n2024-01-02,1,1,1\n").fetch("AAPL")


def test_two_columns_with_one_meaning_are_refused(folder):
    with pytest.raises(InvalidPrices, match="two columns for close"):
        folder(AAPL_csv=PLAIN.replace("Volume", "Volume,close").replace("00\n", "00,1\n")).fetch("AAPL")


def test_a_column_twice_under_one_name_is_refused(folder):
    with pytest.raises(InvalidPrices, match="two columns for close: Date, Open, High, Low, Close, Volume, Close"):
        folder(AAPL_csv=PLAIN.replace("Volume", "Volume,Close").replace("00\n", "00,1\n")).fetch("AAPL")


def rows_at(index):
    return "Date,Open,High,Low,Close,Volume\n" + "".join(f"{moment},1,1,1,1,1\n" for moment in index)


@pytest.mark.parametrize(
    ("spacing", "message"),
    [
        (pd.date_range("2024-01-01", periods=60, freq="7D"), "the rows are 7 days apart"),
        (pd.date_range("2024-01-01", periods=60, freq="MS"), "the rows are 31 days apart"),
        (pd.date_range("2024-01-02 10:00", periods=200, freq="h"), "has [0-9]+ rows a day"),
    ],
)
def test_bars_that_are_not_daily_are_refused_by_name(folder, spacing, message):
    with pytest.raises(InvalidPrices, match=rf"AAPL.csv:? {message}; expected one for each session of the exchange"):
        folder(AAPL_csv=rows_at(spacing)).fetch("AAPL")


def test_daily_rows_with_holidays_and_some_duplicates_are_daily(folder):
    days = (
        pd.bdate_range("2024-01-01", periods=60).delete([3, 4, 5, 6]).append(pd.bdate_range("2024-01-01", periods=10))
    )
    assert len(folder(AAPL_csv=rows_at(day.date() for day in days)).fetch("AAPL").prices) == 66


@pytest.mark.parametrize("text", ["2024/01/03", "2024.01.03", "20240103"])
def test_a_date_with_its_year_first_needs_no_dashes(folder, text):
    assert dates(folder(AAPL_csv=PLAIN.replace("2024-01-03", text)).fetch("AAPL").prices)[1] == "2024-01-03"


@pytest.mark.parametrize(
    "text", ["", PLAIN + "2024-01-04,1,2,3,4,5,6,7\n", "Date,Open,High,Low,Close,Volume\n2024-01-04,1,2,3,4,5,6\n"]
)
def test_a_file_that_is_no_table_is_refused(folder, text):
    with pytest.raises(InvalidPrices, match=r"AAPL\.csv cannot be read as csv"):
        folder(AAPL_csv=text).fetch("AAPL")


def test_binary_content_is_refused(tmp_path):
    (tmp_path / "AAPL.csv").write_bytes(b"\xff\xfe\x00\x81" * 50)
    (tmp_path / "MSFT.parquet").write_bytes(b"PAR1 but not really")
    for ticker in ("AAPL", "MSFT"):
        with pytest.raises(InvalidPrices, match="cannot be read as"):
            CsvFolderSource(tmp_path).fetch(ticker)


def test_a_file_with_only_a_header_has_no_data(folder):
    with pytest.raises(NoNewData, match="has no rows"):
        folder(AAPL_csv=PLAIN.splitlines()[0] + "\n").fetch("AAPL")


def test_parquet_with_a_zone_aware_index(tmp_path):
    index = pd.DatetimeIndex(["2024-01-02", "2024-01-03"], tz="America/Sao_Paulo", name="Date")
    table = pd.DataFrame({name: [1.0, 2.0] for name in ("Open", "High", "Low", "Close", "Volume")}, index=index)
    table.to_parquet(tmp_path / "petr4.sa.parquet")
    source = CsvFolderSource(tmp_path)
    assert source.tickers() == ["PETR4.SA"]
    assert dates(source.fetch("PETR4.SA").prices) == ["2024-01-02", "2024-01-03"]


def test_the_folder_lists_its_tickers_in_any_case(folder):
    assert folder(**{"petr4.sa.csv": PLAIN, "AAPL_csv": PLAIN, "notes.txt": "", "a b.csv": PLAIN}).tickers() == [
        "AAPL",
        "PETR4.SA",
    ]


def test_the_error_for_an_unknown_ticker_lists_those_of_the_folder(folder):
    with pytest.raises(UnknownTicker, match="has no MSFT; it has AAPL"):
        folder(AAPL_csv=PLAIN).fetch("MSFT")


def test_a_ticker_cannot_leave_the_folder(folder):
    with pytest.raises(InvalidTicker):
        folder(AAPL_csv=PLAIN).fetch("../AAPL")


def test_two_files_of_one_ticker_are_refused(folder):
    with pytest.raises(UserError, match=r"two files for AAPL: AAPL\.csv, aapl\.csv"):
        folder(AAPL_csv=PLAIN, aapl_csv=PLAIN).tickers()


def test_a_missing_or_empty_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="needs a folder"):
        make_source("csv")
    with pytest.raises(UserError, match="No such file or directory; expected a folder"):
        CsvFolderSource(tmp_path / "absent").tickers()
    with pytest.raises(UserError, match=r"holds no price file of a ticker, such as AAPL\.csv; it holds nothing"):
        CsvFolderSource(tmp_path).tickers()
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match=r"it holds notes\.txt"):
        CsvFolderSource(tmp_path).fetch("AAPL")
