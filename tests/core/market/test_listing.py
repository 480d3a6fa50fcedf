import pytest

from zenith_core.market.listing import described, listing, price_text, unit_text


def test_a_listing_has_the_texts_of_the_source_on_one_short_line():
    source = {"exchange": "São\n Paulo", "instrument": None, "name": "x" * 200, "other": "y"}
    assert listing(source) == {"exchange": "São Paulo", "name": "x" * 80}
    assert listing({"name": 7, "exchange": " "}) == {}


@pytest.mark.parametrize(
    ("ticker", "source", "expected"),
    [
        ("AAPL", {}, {"exchange": "XNYS"}),
        ("AAPL", {"exchange": "NasdaqGS", "instrument": "equity"}, {"exchange": "NasdaqGS", "instrument": "equity"}),
        ("BTC-USD", {}, {"exchange": "CCC", "instrument": "cryptocurrency"}),
        ("EURUSD", {}, {"exchange": "CCY", "instrument": "currency"}),
        ("^BVSP", {}, {"exchange": "BVMF", "instrument": "index"}),
        ("GC=F", {}, {"exchange": "CME", "instrument": "future"}),
    ],
)
def test_the_ticker_tells_what_the_source_does_not(ticker, source, expected):
    assert described(ticker, source) == expected


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (1234.5, "1,234.50"),
        (10.0, "10.00"),
        (9.99999, "10.0000"),
        (1.0832, "1.0832"),
        (0.05, "0.050000"),
        (0.0, "0.00"),
    ],
)
def test_small_prices_have_five_significant_digits(price, text):
    assert price_text(price, ",") == text


def test_pence_are_said_to_be_pence():
    assert unit_text("GBp") == "100 GBp = 1 GBP"
    assert unit_text("USD") is None
