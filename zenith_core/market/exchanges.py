"""The exchange of a ticker, by its suffix or shape."""

import re
from dataclasses import replace
from zoneinfo import available_timezones

from zenith_core.errors import InvalidTicker, UserError
from zenith_core.market.suffixes import (
    COIN_CURRENCIES,
    CURRENCIES,
    EVERY_DAY,
    INDICES,
    SUFFIXES,
    WEEKDAYS,
    Exchange,
)
from zenith_core.market.tickers import parse_tickers, validate_ticker

__all__ = [
    "EXCHANGES",
    "Exchange",
    "add_exchanges",
    "currency_pair",
    "exchange_of",
    "listed_tickers",
    "sessions_per_year",
]


EXCHANGES: dict[str, Exchange] = dict(SUFFIXES)
"""Exchange by ticker suffix, as Yahoo writes suffixes; no suffix is New York. `add_exchanges` extends it."""

_ENTRY = re.compile(r"(\.[A-Z]{1,4})=([A-Z0-9]{4}):([A-Za-z]{3}):([A-Za-z_/+-]+)")


def add_exchanges(text: str) -> None:
    """Extend EXCHANGES by entries such as `.VI=XWBO:EUR:Europe/Vienna`, separated by commas.

    An entry is the suffix of tickers, the exchange's calendar in `exchange_calendars`, the currency of its quotes and
    its time zone. Raises UserError for an invalid entry, and then adds none.
    """
    new_exchanges = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        parts = _ENTRY.fullmatch(entry)
        if not parts:
            raise UserError(f"{entry[:40]!r} is no exchange: expected one like .VI=XWBO:EUR:Europe/Vienna")
        suffix, calendar, currency, timezone = parts.groups()
        if not _has_calendar(calendar):
            raise UserError(f"{entry}: exchange_calendars has no calendar {calendar}")
        if timezone not in available_timezones():
            raise UserError(f"{entry}: there is no time zone {timezone}")
        new_exchanges[suffix] = Exchange(calendar, calendar, currency, timezone)
    EXCHANGES.update(new_exchanges)


def _has_calendar(name: str) -> bool:
    from exchange_calendars import get_calendar_names

    return name in get_calendar_names()


def exchange_of(ticker: str) -> Exchange:
    """Return the exchange of a ticker. Raises InvalidTicker for an invalid ticker or an unknown suffix.

    Currency pairs (EURUSD, EURUSD=X) and cryptocurrencies (BTC-USD) have markets of their own, futures (GC=F) follow
    Chicago, and an index (^BVSP) its country.
    """
    name, dot, ending = validate_ticker(ticker).rpartition(".")
    suffix = dot + ending if name else ""
    if not suffix and (market := _market_of(ending)):
        return market
    try:
        return EXCHANGES[suffix]
    except KeyError:
        raise InvalidTicker(
            f"{ticker}: no exchange is known for {suffix}; known are Yahoo's, such as .SA, .L and .NS, none for New "
            "York (share classes take a dash: BRK-B), and those of ZENITH_EXCHANGES"
        ) from None


def sessions_per_year(ticker: str) -> int:
    """Return the sessions of a year of the ticker's market. An exchange unknown to this process has those of stocks."""
    try:
        return exchange_of(ticker).sessions_per_year
    except InvalidTicker:
        return Exchange.sessions_per_year


def currency_pair(ticker: str) -> tuple[str, str] | None:
    """Return base and quote of a currency pair: ("EUR", "USD") for EURUSD and EURUSD=X; None for any other ticker.

    Yahoo writes pairs of the dollar without it: BRL=X is the price of a dollar in reais.
    """
    if parts := re.fullmatch(r"([A-Z]{3})=X", ticker):
        return "USD", parts[1]
    parts = re.fullmatch(r"([A-Z]{3})([A-Z]{3})(?:=X)?", ticker)
    return (parts[1], parts[2]) if parts and {parts[1], parts[2]} <= CURRENCIES else None


def _market_of(ticker: str) -> Exchange | None:
    """Return the market of a ticker whose shape names it, or None."""
    if pair := currency_pair(ticker):
        # Banks quote pairs around the clock on weekdays. A spread is about a basis point, and there is no commission.
        return Exchange("CCY", WEEKDAYS, pair[1], "Europe/London", sessions_per_year=260, commission=0.0, slippage=1e-4)
    coin, _, currency = ticker.rpartition("-")
    if coin and currency in COIN_CURRENCIES:
        return Exchange("CCC", EVERY_DAY, currency, "UTC", sessions_per_year=365)
    if ticker.endswith("=F"):
        return replace(SUFFIXES[".CME"], code="CME")
    if index := INDICES.get(ticker):
        return SUFFIXES[index]
    return None


def listed_tickers(text: str) -> list[str]:
    """Parse tickers and check that the exchange of each is known. Raises InvalidTicker."""
    tickers = parse_tickers(text)
    for ticker in tickers:
        exchange_of(ticker)
    return tickers
