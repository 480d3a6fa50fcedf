"""Validation of tickers: CLI, REST, partitions and files all use this one function."""

import re

from zenith_core.errors import InvalidTicker

# Letters and digits first, so that no ticker is a relative path, an option or a hidden file;
# no slash, no comma, no white space; `..` is refused as well. `^` opens an index (^BVSP).
_TICKER = re.compile(r"\^?[A-Z0-9](?:[A-Z0-9^=-]|\.(?=[A-Z0-9])){0,14}", re.ASCII)
TICKER_PATTERN = f"^{_TICKER.pattern.replace('A-Z', 'A-Za-z')}$"
"""The pattern of `validate_ticker`, for the OpenAPI document."""


def validate_ticker(text: str) -> str:
    """Return the ticker in upper case, or raise InvalidTicker. The message does not echo the input."""
    ticker = text.upper() if isinstance(text, str) and text.isascii() else ""
    if not _TICKER.fullmatch(ticker):
        raise InvalidTicker("not a ticker: expected 1 to 15 of A-Z, 0-9, '.', '-', '=', '^', such as PETR4.SA or AAPL")
    return ticker


def parse_tickers(text: str) -> list[str]:
    """`"aapl, MSFT"` → `["AAPL", "MSFT"]`, in this order, without duplicates."""
    return list(dict.fromkeys(validate_ticker(part.strip()) for part in text.split(",")))
