import pytest

from zenith_core.errors import InvalidTicker
from zenith_core.market.tickers import parse_tickers, validate_ticker


@pytest.mark.parametrize("ticker", ["AAPL", "PETR4.SA", "BRK-B", "^BVSP", "EURUSD=X", "7203.T", "A", "SIM-REGIME-9999"])
def test_tickers_are_returned_as_they_are(ticker):
    assert validate_ticker(ticker) == ticker


def test_lower_case_is_raised():
    assert validate_ticker("petr4.sa") == "PETR4.SA"


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "..", ".", "../x", "A/B", "A\\B", "A,B", "A B", "A\n", "A\x00", "-A", "=A", ".A", "A.", "A..B", "^",
        "^^A", "A%2F", "A" * 17, "ÀB", "\u017f", "\uff11", "{A}", "A;B", None, 5,
    ],
)  # fmt: skip
def test_anything_else_is_refused_without_an_echo(text):
    with pytest.raises(InvalidTicker, match="not a ticker") as error_info:
        validate_ticker(text)
    assert "A%2F" not in str(error_info.value)


def test_lists_keep_their_order_and_lose_repetitions():
    assert parse_tickers("msft, AAPL,MSFT") == ["MSFT", "AAPL"]


def test_an_empty_place_in_a_list_is_refused():
    with pytest.raises(InvalidTicker):
        parse_tickers("AAPL,,MSFT")
