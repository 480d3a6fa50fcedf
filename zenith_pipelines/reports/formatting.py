"""Format numbers and dates; a dash for missing values."""

from collections.abc import Sequence

import pandas as pd

from zenith_core.market.listing import price_text

NOTHING = "–"
_SMALL_P = 0.01


def percent(value: float | None, decimals: int = 1, sign: bool = False) -> str:
    """Format a fraction as a percentage."""
    return NOTHING if _missing(value) else f"{value:{_sign(sign)}.{decimals}%}"


def number(value: float | None, decimals: int = 2, sign: bool = False) -> str:
    """Format a number with separated thousands."""
    return NOTHING if _missing(value) else f"{value:{_sign(sign)},.{decimals}f}"


def price(value: float | None) -> str:
    """Format a price with separated thousands."""
    return NOTHING if value is None or _missing(value) else price_text(value, ",")


def count(value: float | None) -> str:
    """Format a whole number with separated thousands."""
    return number(value, decimals=0)


def p_value(value: float | None) -> str:
    """Format a p-value."""
    return f"< {_SMALL_P}" if value is not None and value < _SMALL_P else number(value)


def p_value_text(value: float | None) -> str:
    """Format a p-value for a sentence: `p = 0.16`."""
    text = p_value(value)
    phrase = f"p {text}" if text.startswith("<") else f"p = {text}"
    return phrase.replace(" ", "\N{NO-BREAK SPACE}")


def magnitude(value: float | None) -> str:
    """Format the order of magnitude of a number."""
    return NOTHING if _missing(value) else f"{value:.0e}" if value else "0"


def interval(low: float | None, high: float | None) -> str:
    """Format an interval."""
    return NOTHING if _missing(low) or _missing(high) else f"{number(low)} to {number(high)}"


def date_range(dates: Sequence[str]) -> str:
    """Format the first and last of ISO `dates`; a dash for none."""
    return f"{dates[0]} to {dates[-1]}" if dates else NOTHING


def day(value: pd.Timestamp) -> str:
    """Format a date; NaT is the exit of an open trade."""
    return "open" if _missing(value) else f"{value:%Y-%m-%d}"


def _sign(plus: bool) -> str:
    """Return the sign format; values that round to 0 print as 0, not -0."""
    return "+z" if plus else "z"


def _missing(value: float | pd.Timestamp | None) -> bool:
    return bool(pd.isna(value))
