"""The contract of each price table, as a pandera schema. Made when asked for: pandera takes half a second to import.

A schema says what a table may be, whatever its source; `prices.quality_checks` judges what is in it.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from zenith_core.features.model_features import FEATURES, WARM_UP
from zenith_core.prices.rejections import MAX_VALUE, MIN_PRICE

if TYPE_CHECKING:
    from pandera.pandas import Column, DataFrameSchema, Index

PRICES = ("open", "high", "low", "close")


def violations(table: pd.DataFrame, name: str) -> list[str]:
    """What of `table` breaks the schema `name` (a key of SCHEMAS): one line each, with a row where there is one.

    A rule that many rows break is one line, with the first row and their number. Empty if the table is as declared.
    """
    from pandera.errors import SchemaErrors

    try:
        _schema(name).validate(table, lazy=True)
    except SchemaErrors as errors:
        return _lines(errors.failure_cases)
    return []


def _lines(cases: pd.DataFrame) -> list[str]:
    """Failure cases (schema_context, column, check, failure_case, index) by rule."""
    lines = []
    for (column, check), group in cases.groupby(["column", "check"], dropna=False, sort=False):
        rows = group["index"].dropna().drop_duplicates()
        where = "" if not isinstance(column, str) or check in _TABLE_RULES else f"{column}: "
        at = (
            f"; {len(rows)} rows, the first {_row(rows.iloc[0])}" if len(rows) else f": {group['failure_case'].iloc[0]}"
        )
        lines.append(f"{where}{check}{at}")
    return list(dict.fromkeys(lines))


def _row(label: Any) -> str:
    return str(label).removesuffix(" 00:00:00")


@cache
def _schema(name: str) -> "DataFrameSchema":
    return SCHEMAS[name]()


def raw_schema() -> "DataFrameSchema":
    """What a source said: numbers under naive midnights. Holes, duplicates and nonsense are for cleaning to judge."""
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
    """One possible row per session, in order, adjusted so that the last close is the last traded one."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            **{name: _between(MIN_PRICE, MAX_VALUE) for name in PRICES},
            "volume": _between(0, MAX_VALUE),
            "factor": _between(0, MAX_VALUE),
            **{name: pa.Column("bool") for name in ("flat", "carried", "suspect")},
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
    """The rows that are impossible, as the source said them, each with its position there and a reason."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            **{name: pa.Column(nullable=True) for name in (*PRICES, "volume")},
            "row": pa.Column(int, pa.Check.ge(0), unique=True),
            "reason": pa.Column(str, pa.Check.str_length(min_value=1)),
        },
    )


def features_schema() -> "DataFrameSchema":
    """Indicators and model inputs by session; NaN during the warm-up only."""
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
    """Finite floats in a closed range; NaN is none of them."""
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
