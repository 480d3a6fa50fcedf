"""Pandera schemas of the price tables, built on first use because pandera takes half a second to import.

A schema is the form of a table from any source; `prices.quality_checks` checks its content.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from zenith_core.features.declaration import WARM_UP
from zenith_core.features.model_features import FEATURES
from zenith_core.prices.rejections import MAX_VALUE, MIN_PRICE
from zenith_core.words import counted

if TYPE_CHECKING:
    from pandera.pandas import Column, DataFrameSchema, Index

PRICES = ("open", "high", "low", "close")


def violations(table: pd.DataFrame, name: str) -> list[str]:
    """Return the violations of the schema `name` (a key of SCHEMAS) by `table`: one line each, with a row if any.

    A rule that many rows violate is one line, with the first row and their number. Empty if the table is valid.
    """
    from pandera.errors import SchemaErrors

    try:
        _schema(name).validate(table, lazy=True)
    except SchemaErrors as errors:
        return _lines(errors.failure_cases)
    return []


def _lines(cases: pd.DataFrame) -> list[str]:
    """Return lines by rule from failure cases (schema_context, column, check, failure_case, index)."""
    lines = []
    for (column, check), group in cases.groupby(["column", "check"], dropna=False, sort=False):
        rows = group["index"].dropna().drop_duplicates()
        where = "" if not isinstance(column, str) or check in _TABLE_RULES else f"{column}: "
        at = (
            f"; {counted(len(rows), 'row')}, the first {_row(rows.iloc[0])}"
            if len(rows)
            else f": {group['failure_case'].iloc[0]}"
        )
        lines.append(f"{where}{check}{at}")
    return list(dict.fromkeys(lines))


def _row(label: Any) -> str:
    return str(label).removesuffix(" 00:00:00")


@cache
def _schema(name: str) -> "DataFrameSchema":
    return SCHEMAS[name]()


def raw_schema() -> "DataFrameSchema":
    """Schema of raw prices: numbers under naive midnights. Cleaning handles gaps, duplicates and impossible values."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            **{name: pa.Column("float64", nullable=True) for name in (*PRICES, "volume", "dividends", "splits")},
            "adj_close": pa.Column("float64", nullable=True, required=False),
        },
        index=_dates(nullable=True),
        strict=True,
        unique_column_names=True,
    )


def cleaned_schema() -> "DataFrameSchema":
    """Schema of cleaned prices: one possible row per session, in order, adjusted to the last traded close."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            **{name: _between(MIN_PRICE, MAX_VALUE) for name in PRICES},
            "volume": _between(0, MAX_VALUE),
            "factor": _between(0, MAX_VALUE),
            **{name: pa.Column("bool") for name in ("flat", "carried", "suspect")},
            "open_filled": pa.Column("bool", required=False),
        },
        index=_dates(unique=True),
        checks=[
            pa.Check(lambda table: table.index.is_monotonic_increasing, name=_SORTED, error=_SORTED),
            pa.Check(_holds_open_and_close, name=_RANGE, error=_RANGE),
            pa.Check(lambda table: table["factor"].iloc[-1:].eq(1).all(), name=_FACTOR, error=_FACTOR),
        ],
        strict=True,
        ordered=True,
    )


def quarantine_schema() -> "DataFrameSchema":
    """Schema of the quarantine: impossible raw rows, unchanged, each with its position and a reason."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            **{name: pa.Column(nullable=True) for name in (*PRICES, "volume")},
            "row": pa.Column(int, pa.Check.ge(0), unique=True),
            "reason": pa.Column(str, pa.Check.str_length(min_value=1)),
        },
    )


def features_schema() -> "DataFrameSchema":
    """Schema of features: indicators and model inputs by session; NaN during the warm-up only."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            **{name: pa.Column("float64", nullable=True) for name in (*FEATURES, "volatility")},
            "close": _between(MIN_PRICE, MAX_VALUE),
            "[a-z0-9_]+": pa.Column("float64", nullable=True, regex=True),
        },
        index=_dates(unique=True),
        checks=[
            pa.Check(lambda table: table.index.is_monotonic_increasing, name=_SORTED, error=_SORTED),
            pa.Check(_finite_after_warm_up, name=_FINITE, error=_FINITE),
        ],
    )


SCHEMAS: dict[str, Callable[[], "DataFrameSchema"]] = {
    "raw": raw_schema,
    "cleaned": cleaned_schema,
    "quarantine": quarantine_schema,
    "features": features_schema,
}

_SORTED = "sessions are in order"
_RANGE = "low and high hold open and close"
_FACTOR = "the factor of the last row is 1"
_FINITE = f"model inputs are finite after {WARM_UP} sessions"
_TABLE_RULES = (_SORTED, _RANGE, _FACTOR, _FINITE)


def _between(low: float, high: float) -> "Column":
    """Return a column of finite floats in a closed range, without NaN."""
    import pandera.pandas as pa

    return pa.Column("float64", pa.Check.in_range(low, high))


def _dates(*, nullable: bool = False, unique: bool = False) -> "Index":
    import pandera.pandas as pa

    midnight = pa.Check(lambda days: days.isna() | (days == days.dt.normalize()), error="dates have no time of day")
    return pa.Index("datetime64[ns]", midnight, name="date", nullable=nullable, unique=unique)


def _holds_open_and_close(table: pd.DataFrame) -> "pd.Series[bool]":
    ends = table[["open", "close"]].to_numpy()
    inside = (table["low"].to_numpy() <= ends.min(axis=1)) & (ends.max(axis=1) <= table["high"].to_numpy())
    return pd.Series(inside, index=table.index)


def _finite_after_warm_up(table: pd.DataFrame) -> "pd.Series[bool]":
    finite = np.isfinite(table[[*FEATURES]].to_numpy()).all(axis=1)
    finite[:WARM_UP] = True
    return pd.Series(finite, index=table.index)
