"""Each vendor's form is recognised by its header and read as the truth."""

import numpy as np
import pandas as pd
import pytest

from tests.pipelines.ingestion.sources.files.written_forms import FORMS, true_table
from zenith_core.errors import InvalidPrices
from zenith_pipelines.ingestion.sources.files.forms import VENDORS
from zenith_pipelines.ingestion.sources.files.price_file import PriceFile

NEW_YORK = "America/New_York"
PRICES = ["open", "high", "low", "close"]


@pytest.fixture
def price_file(tmp_path):
    def write(text, name="AAPL.csv", encoding="utf-8"):
        (tmp_path / name).write_bytes(text.encode(encoding))
        return PriceFile(tmp_path / name)

    return write


def assert_truth(file, truth, volume=float):
    prices = file.prices(file.tickers[0], NEW_YORK).sort_index()
    pd.testing.assert_frame_equal(
        prices[PRICES], truth[PRICES], check_names=False, check_freq=False, check_index_type=False
    )
    np.testing.assert_allclose(prices["volume"], truth["volume"].map(volume), rtol=1e-9)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("scale", [3.0, 1250.0])
def test_a_form_is_read_as_the_truth(price_file, form, scale):
    truth = true_table(scale=scale)
    file = price_file(form.write(truth))
    assert file.header.form.name == form.name
    assert file.tickers == ["AAPL"]
    assert_truth(file, truth, form.volume)


def test_every_declared_form_is_written():
    assert {form.name for form in VENDORS} <= {form.name for form in FORMS}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_a_form_is_read_in_every_encoding_that_has_its_characters(price_file, form, encoding):
    truth = true_table(20)
    text = form.write(truth).replace("₹", "Rs.")
    assert_truth(price_file(text, encoding=encoding), truth, form.volume)


@pytest.mark.parametrize(
    ("name", "text", "tickers"),
    [
        ("stooq_bulk.txt", "Stooq (bulk)", ["TEST"]),
        ("aapl.us.txt", "Stooq (bulk)", ["TEST"]),
        ("PETR4.SA.csv", "B3 COTAHIST", ["PETR4.SA"]),
        ("TEST3.csv", "B3 COTAHIST", ["TEST3.SA"]),
        ("cotahist 2024.csv", "B3 COTAHIST", ["TEST3.SA"]),
        ("BTC-USD.csv", "CryptoDataDownload", ["BTC-USD"]),
        ("Gemini_TSTUSDT_d.csv", "CryptoDataDownload", ["TST-USDT"]),
    ],
)
def test_the_name_of_a_file_is_its_ticker_or_else_the_vendors_code_in_our_notation(price_file, name, text, tickers):
    form = next(form for form in FORMS if form.name == text)
    assert price_file(form.write(true_table(8)), name).tickers == tickers


def test_a_file_of_a_vendor_with_many_codes_has_many_tickers(price_file):
    form = next(form for form in FORMS if form.name == "Stooq (bulk)")
    truth = true_table(8)
    other_rows = form.write(truth * 2).replace("TEST.US", "VOD.UK").partition("\n")[2]
    file = price_file(form.write(truth) + other_rows, "all.txt")
    assert file.tickers == ["TEST", "VOD.L"]
    assert file.prices("VOD.L", NEW_YORK)["close"].tolist() == (truth["close"] * 2).tolist()


def test_a_note_below_the_rows_of_a_vendor_is_no_ticker(price_file):
    form = next(form for form in FORMS if form.name == "B3 COTAHIST")
    file = price_file(form.write(true_table(8)) + "Source: example.org\n", "PETR4.SA.csv")
    assert file.tickers == ["PETR4.SA"]
    assert file.prices("PETR4.SA", NEW_YORK)["close"].notna().sum() == 8


def test_rows_of_yfinance_with_the_tickers_above_the_names(price_file):
    text = "Ticker,AAPL,AAPL,AAPL,AAPL,AAPL\nPrice,Open,High,Low,Close,Volume\nDate,,,,,\n2024-01-02,1,2,0.5,1.5,7\n"
    assert price_file(text).prices("AAPL", NEW_YORK).iloc[0, :5].tolist() == [1.0, 2.0, 0.5, 1.5, 7.0]


@pytest.mark.parametrize(
    "header",
    [
        "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient",  # Alpha Vantage
        "date,open,high,low,close,adjClose,volume,divCash,splitFactor",  # Tiingo
        "Date,Open,High,Low,Close,Adj. Close,Volume,Ex-Dividend,Split Ratio",  # Quandl
    ],
)
def test_actions_have_the_names_of_several_sources(price_file, header):
    prices = price_file(f"{header}\n2024-01-02,1.5,2,1,1.5,1.25,7,0.25,1.0\n").prices("AAPL", NEW_YORK)
    assert prices.iloc[0][["adj_close", "dividends", "splits"]].tolist() == [1.25, 0.25, 1.0]


def test_a_vendors_header_with_another_column_is_not_the_vendors_form(price_file):
    form = next(form for form in FORMS if form.name == "Investing.com (en)")
    text = form.write(true_table(8)).replace('"Change %"', '"Change %","Note"').replace('"1%"', '"1%",""')
    with pytest.raises(InvalidPrices, match=r"AAPL\.csv has no column close, volume; it has Date, Price, Open"):
        price_file(text).prices("AAPL", NEW_YORK)
