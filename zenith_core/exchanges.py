"""Which exchange a ticker trades on, read off its suffix."""

from collections.abc import Mapping
from dataclasses import dataclass

from zenith_core.errors import InvalidTicker
from zenith_core.tickers import validate_ticker


@dataclass(frozen=True)
class Exchange:
    """An exchange: MIC, name of its calendar in `exchange_calendars`, currency of its quotes, time zone."""

    code: str
    calendar: str
    currency: str
    timezone: str


def _exchange(code: str, currency: str, timezone: str) -> Exchange:
    return Exchange(code=code, calendar=code, currency=currency, timezone=timezone)


EXCHANGES: Mapping[str, Exchange] = {
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
"""Exchange by ticker suffix, as Yahoo writes suffixes; no suffix is New York."""


def exchange_of(ticker: str, exchanges: Mapping[str, Exchange] = EXCHANGES) -> Exchange:
    """The exchange of a ticker. Raises InvalidTicker for text that is no ticker and for an unknown suffix."""
    name, dot, ending = validate_ticker(ticker).rpartition(".")
    suffix = dot + ending if name else ""
    try:
        return exchanges[suffix]
    except KeyError:
        known = ", ".join(sorted(filter(None, exchanges)))
        raise InvalidTicker(
            f"{ticker}: no exchange is known for {suffix}; known are {known}, and none for New York "
            "(share classes take a dash: BRK-B)"
        ) from None
