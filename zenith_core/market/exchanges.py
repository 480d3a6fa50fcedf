"""The exchange of a ticker, by its suffix."""

import re
from dataclasses import dataclass
from zoneinfo import available_timezones

from zenith_core.errors import InvalidTicker, UserError
from zenith_core.market.tickers import parse_tickers, validate_ticker


@dataclass(frozen=True)
class Exchange:
    """An exchange: MIC, name of its calendar in `exchange_calendars`, currency of its quotes, time zone."""

    code: str
    calendar: str
    currency: str
    timezone: str


def _exchange(code: str, currency: str, timezone: str) -> Exchange:
    return Exchange(code=code, calendar=code, currency=currency, timezone=timezone)


EXCHANGES: dict[str, Exchange] = {
    "": _exchange("XNYS", "USD", "America/New_York"),
    ".SA": _exchange("BVMF", "BRL", "America/Sao_Paulo"),
    ".L": _exchange("XLON", "GBp", "Europe/London"),  # London quotes in pence
    ".DE": _exchange("XETR", "EUR", "Europe/Berlin"),
    ".PA": _exchange("XPAR", "EUR", "Europe/Paris"),
    ".AS": _exchange("XAMS", "EUR", "Europe/Amsterdam"),
    ".MI": _exchange("XMIL", "EUR", "Europe/Rome"),
    ".SW": _exchange("XSWX", "CHF", "Europe/Zurich"),
    ".TO": _exchange("XTSE", "CAD", "America/Toronto"),
    ".T": _exchange("XTKS", "JPY", "Asia/Tokyo"),
    ".HK": _exchange("XHKG", "HKD", "Asia/Hong_Kong"),
    ".AX": _exchange("XASX", "AUD", "Australia/Sydney"),
}
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
        new_exchanges[suffix] = _exchange(calendar, currency, timezone)
    EXCHANGES.update(new_exchanges)


def _has_calendar(name: str) -> bool:
    from exchange_calendars import get_calendar_names

    return name in get_calendar_names()


def exchange_of(ticker: str) -> Exchange:
    """Return the exchange of a ticker. Raises InvalidTicker for an invalid ticker or an unknown suffix."""
    name, dot, ending = validate_ticker(ticker).rpartition(".")
    suffix = dot + ending if name else ""
    try:
        return EXCHANGES[suffix]
    except KeyError:
        suffixes = ", ".join(sorted(filter(None, EXCHANGES)))
        raise InvalidTicker(
            f"{ticker}: no exchange is known for {suffix}; known are {suffixes}, and none for New York "
            "(share classes take a dash: BRK-B)"
        ) from None


def listed_tickers(text: str) -> list[str]:
    """Parse tickers and check that the exchange of each is known. Raises InvalidTicker."""
    tickers = parse_tickers(text)
    for ticker in tickers:
        exchange_of(ticker)
    return tickers
