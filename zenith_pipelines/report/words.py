"""Numbers and dates as people read them; a dash where there is none."""

import pandas as pd

NOTHING = "–"


def share(value: float | None, decimals: int = 1, sign: bool = False) -> str:
    """A fraction as a percentage."""
    return NOTHING if _missing(value) else f"{value:{'+' if sign else ''}.{decimals}%}"


def number(value: float | None, decimals: int = 2) -> str:
    """A number with separated thousands."""
    return NOTHING if _missing(value) else f"{value:,.{decimals}f}"


def count(value: float | None) -> str:
    """A whole number with separated thousands."""
    return number(value, decimals=0)


def day(value: pd.Timestamp) -> str:
    """A date; NaT is the exit of a trade that is still open."""
    return "open" if _missing(value) else f"{value:%Y-%m-%d}"


def _missing(value: float | pd.Timestamp | None) -> bool:
    return bool(pd.isna(value))
