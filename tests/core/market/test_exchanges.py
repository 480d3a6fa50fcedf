import pytest

from zenith_core.errors import InvalidTicker, UserError
from zenith_core.market.exchanges import EXCHANGES, Exchange, add_exchanges, exchange_of


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


@pytest.fixture
def table(monkeypatch):
    monkeypatch.setattr("zenith_core.market.exchanges.EXCHANGES", dict(EXCHANGES))


@pytest.mark.usefixtures("table")
def test_users_extend_the_table():
    add_exchanges(".VI=XWBO:EUR:Europe/Vienna, .ST=XSTO:SEK:Europe/Stockholm,")

    assert exchange_of("OMV.VI") == Exchange("XWBO", "XWBO", "EUR", "Europe/Vienna")
    assert exchange_of("ERIC-B.ST").currency == "SEK"
    assert exchange_of("PETR4.SA").code == "BVMF"


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("VI=XWBO:EUR:Europe/Vienna", "is no exchange: expected one like"),
        (".VI=XWBO", "is no exchange"),
        (".VI=XXXX:EUR:Europe/Vienna", "exchange_calendars has no calendar XXXX"),
        (".VI=XWBO:EUR:Europe/Wien", "there is no time zone Europe/Wien"),
    ],
)
def test_an_entry_that_is_none_is_refused_and_nothing_is_added(wrong, message):
    with pytest.raises(UserError, match=message):
        add_exchanges(f".ST=XSTO:SEK:Europe/Stockholm,{wrong}")
    with pytest.raises(InvalidTicker):
        exchange_of("ERIC-B.ST")


def test_every_exchange_has_a_calendar():
    import exchange_calendars

    names = exchange_calendars.get_calendar_names()
    assert [e.calendar for e in EXCHANGES.values() if e.calendar not in names] == []
