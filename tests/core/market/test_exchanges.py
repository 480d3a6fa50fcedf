from zoneinfo import available_timezones

import pytest

from zenith_core.errors import InvalidTicker, UserError
from zenith_core.market.exchanges import EXCHANGES, Exchange, add_exchanges, currency_pair, exchange_of
from zenith_core.market.suffixes import EVERY_DAY, INDICES, SUFFIXES, WEEKDAYS, unit_of


@pytest.mark.parametrize(
    ("ticker", "code", "currency", "timezone"),
    [
        ("AAPL", "XNYS", "USD", "America/New_York"),
        ("BRK-B", "XNYS", "USD", "America/New_York"),
        ("PETR4.SA", "BVMF", "BRL", "America/Sao_Paulo"),
        ("petr4.sa", "BVMF", "BRL", "America/Sao_Paulo"),
        ("VOD.L", "XLON", "GBp", "Europe/London"),
        ("7203.T", "XTKS", "JPY", "Asia/Tokyo"),
        ("RELIANCE.NS", "XNSE", "INR", "Asia/Kolkata"),
        ("600519.SS", "XSHG", "CNY", "Asia/Shanghai"),
        ("SBER.ME", "XMOS", "RUB", "Europe/Moscow"),
        ("PKO.WA", "XWAR", "PLN", "Europe/Warsaw"),
        ("NPN.JO", "XJSE", "ZAc", "Africa/Johannesburg"),
        ("BTC-USD", "CCC", "USD", "UTC"),
        ("ETH-BTC", "CCC", "BTC", "UTC"),
        ("EURUSD=X", "CCY", "USD", "Europe/London"),
        ("EURUSD", "CCY", "USD", "Europe/London"),
        ("BRL=X", "CCY", "BRL", "Europe/London"),
        ("GC=F", "CME", "USD", "America/Chicago"),
        ("^GSPC", "XNYS", "USD", "America/New_York"),
        ("^BVSP", "BVMF", "BRL", "America/Sao_Paulo"),
        ("GOOGLE", "XNYS", "USD", "America/New_York"),
        ("VTSAX", "XNYS", "USD", "America/New_York"),
    ],
)
def test_suffix_names_the_exchange(ticker, code, currency, timezone):
    exchange = exchange_of(ticker)
    assert (exchange.code, exchange.currency, exchange.timezone) == (code, currency, timezone)


def test_unknown_suffix_is_refused_and_known_ones_are_named():
    with pytest.raises(InvalidTicker, match=r"no exchange is known for \.XX; known are Yahoo's, such as \.SA"):
        exchange_of("ABC.XX")


def test_text_that_is_no_ticker_is_refused_before_anything_else():
    with pytest.raises(InvalidTicker, match="not a ticker"):
        exchange_of("../etc.SA")


@pytest.fixture
def table(monkeypatch):
    monkeypatch.setattr("zenith_core.market.exchanges.EXCHANGES", dict(EXCHANGES))


@pytest.mark.usefixtures("table")
def test_users_extend_the_table():
    add_exchanges(".VX=XWBO:EUR:Europe/Vienna, .ST=XSTO:EUR:Europe/Stockholm,")

    assert exchange_of("OMV.VX") == Exchange("XWBO", "XWBO", "EUR", "Europe/Vienna")
    assert exchange_of("ERIC-B.ST").currency == "EUR"  # theirs come first
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
        add_exchanges(f".XX=XSTO:SEK:Europe/Stockholm,{wrong}")
    with pytest.raises(InvalidTicker):
        exchange_of("ERIC-B.XX")


def test_every_exchange_has_a_calendar_and_a_time_zone():
    import exchange_calendars

    names = exchange_calendars.get_calendar_names()
    assert [e.calendar for e in SUFFIXES.values() if e.calendar not in names] == []
    assert {e.timezone for e in SUFFIXES.values()} <= available_timezones()
    assert set(INDICES.values()) <= set(SUFFIXES)


def test_every_exchange_of_the_library_and_every_suffix_of_yahoo_is_in_the_table():
    import exchange_calendars
    from yfinance.const import _MIC_TO_YAHOO_SUFFIX as yahoo

    no_exchange = {EVERY_DAY, WEEKDAYS, "us_futures"}
    codes = {code for exchange in SUFFIXES.values() for code in (exchange.code, exchange.calendar)}
    assert set(exchange_calendars.get_calendar_names(include_aliases=False)) - no_exchange <= codes
    assert {f".{suffix}" for suffix in yahoo.values() if suffix} <= set(SUFFIXES)


def test_markets_differ_in_the_length_of_their_year_and_in_costs():
    stock, coin, pair = map(exchange_of, ("AAPL", "BTC-USD", "EURUSD"))
    assert (stock.sessions_per_year, coin.sessions_per_year, pair.sessions_per_year) == (252, 365, 260)
    assert pair.commission + pair.slippage < 0.001 < stock.commission + stock.slippage


@pytest.mark.parametrize("ticker", ["BRK-B", "RDS-A", "BAC-PL", "SIM-EDGE-1", "USD", "AMZN34", "EURXYZ", "-USD"])
def test_share_classes_and_others_are_no_currencies(ticker):
    assert currency_pair(ticker) is None
    try:
        assert exchange_of(ticker).code == "XNYS"
    except InvalidTicker:
        assert ticker == "-USD"


@pytest.mark.parametrize(
    ("currency", "unit"), [("GBp", ("GBP", 100)), ("ZAc", ("ZAR", 100)), ("KWF", ("KWD", 1000)), ("USD", ("USD", 1))]
)
def test_pence_are_not_pounds(currency, unit):
    assert unit_of(currency) == unit
