"""Numbers and dates for people; a dash for missing values."""

from collections.abc import Sequence

import pandas as pd

NOTHING = "–"
_SMALL_P = 0.01


def share(value: float | None, decimals: int = 1, sign: bool = False) -> str:
    """A fraction as a percentage."""
    return NOTHING if _missing(value) else f"{value:{_sign(sign)}.{decimals}%}"


def number(value: float | None, decimals: int = 2, sign: bool = False) -> str:
    """A number with separated thousands."""
    return NOTHING if _missing(value) else f"{value:{_sign(sign)},.{decimals}f}"


def count(value: float | None) -> str:
    """A whole number with separated thousands."""
    return number(value, decimals=0)


def chance(value: float | None) -> str:
    """A p-value."""
    return f"< {_SMALL_P}" if value is not None and value < _SMALL_P else number(value)


def p_value(value: float | None) -> str:
    """A p-value in a sentence: `p = 0.16`."""
    text = chance(value)
    spoken = f"p {text}" if text.startswith("<") else f"p = {text}"
    return spoken.replace(" ", "\N{NO-BREAK SPACE}")


def tiny(value: float | None) -> str:
    """A number of which only the order of magnitude matters."""
    return NOTHING if _missing(value) else f"{value:.0e}" if value else "0"


def span(low: float | None, high: float | None) -> str:
    """An interval."""
    return NOTHING if _missing(low) or _missing(high) else f"{number(low)} to {number(high)}"


def days(dates: Sequence[str]) -> str:
    """The first and last of ISO `dates`; a dash for none."""
    return f"{dates[0]} to {dates[-1]}" if dates else NOTHING


def day(value: pd.Timestamp) -> str:
    """A date; NaT is the exit of a trade that is still open."""
    return "open" if _missing(value) else f"{value:%Y-%m-%d}"


def _sign(shown: bool) -> str:
    """Return the sign format; values that round to 0 print as 0, not -0."""
    return "+z" if shown else "z"


def _missing(value: float | pd.Timestamp | None) -> bool:
    return bool(pd.isna(value))
