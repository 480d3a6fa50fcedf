"""The description of a ticker by its source: exchange, instrument and name, texts that nothing is computed from."""

from collections.abc import Mapping
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
    """Return the listing of a source, completed by the exchange and instrument that the ticker itself tells."""
    exchange = exchange_of(ticker)
    told = {"exchange": exchange.code}
    if exchange.calendar == EVERY_DAY:
        told["instrument"] = "cryptocurrency"
    elif currency_pair(ticker):
        told["instrument"] = "currency"
    elif ticker.startswith("^"):
        told["instrument"] = "index"
    elif ticker.endswith("=F"):
        told["instrument"] = "future"
    return told | dict(source)


def unit_text(currency: str) -> str | None:
    """Return `100 GBp = 1 GBP` for prices in pence; None for a currency's own unit."""
    main, units = unit_of(currency)
    return f"{units} {currency} = 1 {main}" if units > 1 else None
