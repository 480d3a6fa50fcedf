"""The description of a ticker by its source: exchange, instrument and name, texts that nothing is computed from."""

from collections.abc import Mapping
from math import floor, log10
from typing import Any

from zenith_core.market.exchanges import currency_pair, exchange_of
from zenith_core.market.suffixes import EVERY_DAY, unit_of

_LONGEST = 80


def listing(source: Mapping[str, Any]) -> dict[str, str]:
    """Return those of exchange, instrument and name that a source gives as text, each on one short line."""
    names = ("exchange", "instrument", "name")
    texts = {name: " ".join(source[name].split()) for name in names if isinstance(source.get(name), str)}
    return {name: text[:_LONGEST] for name, text in texts.items() if text}


def described(ticker: str, source: Mapping[str, str]) -> dict[str, str]:
    """Return the listing of a source, completed by exchange and instrument from the ticker itself."""
    exchange = exchange_of(ticker)
    facts = {"exchange": exchange.code}
    if exchange.calendar == EVERY_DAY:
        facts["instrument"] = "cryptocurrency"
    elif currency_pair(ticker):
        facts["instrument"] = "currency"
    elif ticker.startswith("^"):
        facts["instrument"] = "index"
    elif ticker.endswith("=F"):
        facts["instrument"] = "future"
    return facts | dict(source)


def unit_text(currency: str) -> str | None:
    """Return `100 GBp = 1 GBP` for prices in pence; None for a currency's own unit."""
    main, units = unit_of(currency)
    return f"{units} {currency} = 1 {main}" if units > 1 else None


def price_text(price: float, separator: str = "") -> str:
    """Format a price: two decimals, and five significant digits below 10, where a currency moves by the fourth."""
    size = abs(price)
    decimals = 2 if size >= 10 or size < 1e-12 else 4 - floor(log10(size))
    return f"{price:{separator}.{decimals}f}"
