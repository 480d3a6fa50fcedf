import pytest

from zenith_core.errors import InvalidTicker
from zenith_core.exchanges import EXCHANGES, Exchange, exchange_of


@pytest.mark.parametrize(
    ("ticker", "code", "currency", "timezone"),
    [
        ("AAPL", "XNYS", "USD", "America/New_York"),
        ("BRK-B", "XNYS", "USD", "America/New_York"),
        ("PETR4.SA", "BVMF", "BRL", "America/Sao_Paulo"),
        ("petr4.sa", "BVMF", "BRL", "America/Sao_Paulo"),
        ("VOD.L", "XLON", "GBp", "Europe/London"),
        ("7203.T", "XTKS", "JPY", "Asia/Tokyo"),
    ],
)
def test_suffix_names_the_exchange(ticker, code, currency, timezone):
    exchange = exchange_of(ticker)
    assert (exchange.code, exchange.currency, exchange.timezone) == (code, currency, timezone)


def test_unknown_suffix_is_refused_and_known_ones_are_named():
    with pytest.raises(InvalidTicker, match=r"no exchange is known for \.XX; known are .*\.SA"):
        exchange_of("ABC.XX")


def test_text_that_is_no_ticker_is_refused_before_anything_else():
    with pytest.raises(InvalidTicker, match="not a ticker"):
        exchange_of("../etc.SA")


def test_a_table_of_ones_own_extends_the_known_suffixes():
    own = {**EXCHANGES, ".VI": Exchange("XWBO", "XWBO", "EUR", "Europe/Vienna")}
    assert exchange_of("OMV.VI", own).code == "XWBO"


def test_every_exchange_has_a_calendar():
    import exchange_calendars

    names = exchange_calendars.get_calendar_names()
    assert [e.calendar for e in EXCHANGES.values() if e.calendar not in names] == []
