"""The forecast ledger as a chain of entries: append only, each with the hash of the one before (docs/decisions/0047).

The table of forecasts follows from the entries alone (`replay`). Kinds of entry, and their rows:

start      the rows of a ledger that an earlier release wrote; the chain begins after them
forecast   new forecasts
outcome    actual prices of target sessions that have closed
repaired   forecasts whose stored row differed from the chain, and was written anew from it
restored   the entry that was recorded last and is missing: a backup was restored, or the ledger was lost
removed    none: the ticker was removed; the next forecast shows that it was added again
renamed    the name before; the entry and all that follow have the new one
signal     a signal, and `signal outcome` its label: zenith_core.evaluation.signal_ledger
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from zenith_core.errors import CorruptData
from zenith_core.evaluation.forecast_ledger import (
    COLUMNS,
    EARLIER_MODEL,
    KEY,
    RISK_NUMBERS,
    append_rows,
    fill_actuals,
    with_model_type,
)

SCHEMA = 2
SCHEMAS = (1, SCHEMA)  # rows of schema 1 name no model_type
GENESIS = "0" * 64  # the hash before the first entry
ENTRY_COLUMNS = ("number", "schema", "ticker", "kind", "at", "previous", "rows", "hash")
KINDS = ("start", "forecast", "outcome", "repaired", "restored", "removed", "renamed", "signal", "signal outcome")

_DATES = ("origin", "target_date")
_OPTIONAL = ("scale_version", *RISK_NUMBERS, "actual")
_FORECAST = tuple(name for name in COLUMNS if name not in ("made_at", "actual"))

Row = dict[str, Any]
Table = dict[tuple[Any, ...], Row]
"""The rows of a ledger by origin, horizon and version."""


@dataclass(frozen=True)
class ChainSummary:
    """The content of an intact chain. `head` is the hash of its last entry."""

    ticker: str
    entries: int
    forecasts: int
    outcomes: int
    first: str
    last: str
    head: str


def no_entries() -> pd.DataFrame:
    """Return the entries of a ledger that has none yet."""
    return pd.DataFrame(columns=list(ENTRY_COLUMNS))


def append_entry(
    entries: pd.DataFrame, ticker: str, kind: str, at: datetime, rows: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """Return the entries with one more at the end."""
    number = len(entries) + 1
    previous = GENESIS if entries.empty else str(entries["hash"].iloc[-1])
    text = json.dumps(list(rows), separators=(",", ":"), allow_nan=False)
    entry = {
        **{"number": number, "schema": SCHEMA, "ticker": ticker, "kind": kind, "at": at.isoformat()},
        **{"previous": previous, "rows": text},
    }
    new = pd.DataFrame([{**entry, "hash": entry_hash(entry)}], columns=list(ENTRY_COLUMNS))
    return new if entries.empty else pd.concat([entries, new], ignore_index=True)


def entry_hash(entry: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an entry: of the JSON list of its other columns, `rows` as the text that it is."""
    values = [int(entry[name]) if name in ("number", "schema") else str(entry[name]) for name in ENTRY_COLUMNS[:-1]]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def extend_ledger(
    entries: pd.DataFrame,
    forecasts: pd.DataFrame | None,
    ticker: str,
    at: datetime,
    rows: pd.DataFrame,
    close: pd.Series,
    last_entry: tuple[int, str] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the entries and the table of a ledger with those of `rows` that are new, and the outcomes of `close`.

    forecasts:  the stored table of forecasts, if there is one; an entry says in which rows it differs from the chain
    last_entry: number and hash of the last entry as another place remembers it; an entry says if the chain lacks it

    The chain is replayed once, because it is long after some years of nights. Raises CorruptData if it is broken.
    """
    entries, table = _continued(entries, forecasts, ticker, at, last_entry)
    return _with_forecasts(entries, table, ticker, at, rows, close)


def replay(entries: pd.DataFrame) -> pd.DataFrame:
    """Return the table of forecasts (`zenith_core.evaluation.forecast_ledger.COLUMNS`) that the entries add up to.

    Raises CorruptData if an entry forecasts again, or scores what was not forecast.
    """
    return _frame(_replayed(entries))


def verify(entries: pd.DataFrame) -> ChainSummary:
    """Check the whole chain and return its summary. Raises CorruptData, which names the first entry that is wrong."""
    return _verified(entries)[0]


def check_chain(entries: pd.DataFrame) -> str:
    """Return the ticker of the last entry. Raises CorruptData, which names the first entry that is wrong.

    The rows of the entries are not read.
    """
    if list(entries.columns) != list(ENTRY_COLUMNS):
        raise CorruptData(f"not a ledger: its columns are {', '.join(map(str, entries.columns))[:160]}")
    if entries.empty:
        raise CorruptData("the ledger has no entries")
    ticker, previous = str(entries["ticker"].iloc[0]), GENESIS
    for number, entry in enumerate(entries.to_dict("records"), 1):
        if problem := _problem({str(name): value for name, value in entry.items()}, number, ticker, previous):
            raise CorruptData(f"{ticker}: entry {number} of {len(entries)} {problem}")
        ticker, previous = str(entry["ticker"]), str(entry["hash"])
    return ticker


def chain_summary(entries: pd.DataFrame, forecasts: int, outcomes: int) -> ChainSummary:
    """Return the summary of an intact chain that holds so many forecasts and outcomes."""
    return ChainSummary(
        ticker=str(entries["ticker"].iloc[-1]),
        entries=len(entries),
        forecasts=forecasts,
        outcomes=outcomes,
        first=str(entries["at"].iloc[0]),
        last=str(entries["at"].iloc[-1]),
        head=str(entries["hash"].iloc[-1]),
    )


def _verified(entries: pd.DataFrame) -> tuple[ChainSummary, Table]:
    check_chain(entries)
    table = _replayed(entries)
    return chain_summary(entries, len(table), sum(row["actual"] is not None for row in table.values())), table


def _continued(
    entries: pd.DataFrame,
    forecasts: pd.DataFrame | None,
    ticker: str,
    at: datetime,
    last_entry: tuple[int, str] | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the entries and their table, with an entry for each difference from what was stored and remembered."""
    forecasts = None if forecasts is None else with_model_type(forecasts)
    if entries.empty:
        if forecasts is not None and not forecasts.empty:
            entries = append_entry(entries, ticker, "start", at, _rows(forecasts, COLUMNS))
        table = replay(entries)
    else:
        table = _frame(_verified(entries)[1])
        if not _same(table, forecasts):
            rows = [] if forecasts is None else _rows(forecasts, COLUMNS)
            if differing := _difference(_rows(table, COLUMNS), rows):
                entries = append_entry(entries, ticker, "repaired", at, differing)
    if last_entry and last_entry[1] not in set(entries["hash"]):
        entries = append_entry(entries, ticker, "restored", at, [{"entry": last_entry[0], "hash": last_entry[1]}])
    return entries, table


def _with_forecasts(
    entries: pd.DataFrame, table: pd.DataFrame, ticker: str, at: datetime, rows: pd.DataFrame, close: pd.Series
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return entries and table with new forecasts and outcomes. The table is that of a replay, without another one."""
    new = append_rows(table, rows).iloc[len(table) :]
    if len(new):
        entries = append_entry(entries, ticker, "forecast", at, _rows(new, _FORECAST))
        as_kept = replay(entries.iloc[-1:])
        table = as_kept if table.empty else pd.concat([table, as_kept], ignore_index=True)
    scored = fill_actuals(table, close)
    outcomes = scored[scored["actual"].notna() & table["actual"].isna()]
    if len(outcomes):
        entries = append_entry(entries, ticker, "outcome", at, _rows(outcomes, (*KEY, "actual")))
    return entries, scored


def _replayed(entries: pd.DataFrame) -> Table:
    table: Table = {}
    for entry in entries.to_dict("records"):
        _apply(entry, table)
    return table


def _frame(table: Table) -> pd.DataFrame:
    rows = pd.DataFrame(list(table.values()), columns=list(COLUMNS))
    times = {"made_at": pd.to_datetime(rows["made_at"], utc=True, format="ISO8601")}
    numbers = {name: rows[name].astype(float) for name in ("close", "forecast", "lower", "upper", *_OPTIONAL[1:])}
    scales = {"scale_version": _or_none(rows["scale_version"])}
    return rows.assign(**times, **{name: pd.to_datetime(rows[name]) for name in _DATES}, **numbers, **scales)


def _same(rebuilt: pd.DataFrame, forecasts: pd.DataFrame | None) -> bool:
    """Return True if the tables have the same rows in the same order; False if they may not."""
    if forecasts is None or list(forecasts.columns) != list(COLUMNS) or len(forecasts) != len(rebuilt):
        return False
    forecasts = forecasts.set_axis(rebuilt.index)
    return all(
        forecasts[name].dtype.kind == rebuilt[name].dtype.kind
        and bool(((forecasts[name] == rebuilt[name]) | (forecasts[name].isna() & rebuilt[name].isna())).all())
        for name in COLUMNS
    )


def _problem(entry: Row, number: int, ticker: str, previous: str) -> str | None:
    if int(entry["schema"]) not in SCHEMAS:
        return f"has the schema {entry['schema']}, this version reads 1 to {SCHEMA}: use a newer one"
    if int(entry["number"]) != number:
        return f"has the number {entry['number']}: an entry is missing, doubled or moved"
    if str(entry["previous"]) != previous:
        return "does not hold the hash of the entry before: one was changed, removed or put in"
    if str(entry["hash"]) != entry_hash(entry):
        return "does not match its hash: it was changed"
    if _name_before(entry) != ticker:
        return f"is of {_name_before(entry)}"
    return None if entry["kind"] in KINDS else f"is of the unknown kind {entry['kind']}"


def _name_before(entry: Row) -> str:
    """Return the ticker that the entries before must have."""
    if entry["kind"] != "renamed":
        return str(entry["ticker"])
    try:
        return str(json.loads(str(entry["rows"]))[0]["from"])
    except (ValueError, LookupError, TypeError):
        return "no ticker, though it is renamed"


def _apply(entry: Mapping[Any, Any], table: Table) -> None:
    kind = entry["kind"]
    if kind not in ("start", "forecast", "outcome"):
        return
    for one in json.loads(str(entry["rows"])):
        row = {"model_type": EARLIER_MODEL, **one}
        key = tuple(row[name] for name in KEY)
        if kind != "outcome":
            if key in table:
                raise CorruptData(f"{entry['ticker']}: entry {entry['number']} forecasts again from {row['origin']}")
            table[key] = {"made_at": entry["at"], "actual": None, **row}
        elif key not in table or table[key]["actual"] is not None:
            raise CorruptData(f"{entry['ticker']}: entry {entry['number']} scores no open forecast of {row['origin']}")
        else:
            table[key]["actual"] = row["actual"]


def _rows(table: pd.DataFrame, columns: Sequence[str]) -> list[Row]:
    """Return JSON-ready rows: dates and times as ISO texts, a missing value as None."""
    texts = {name: table[name].dt.strftime("%Y-%m-%d") for name in _DATES if name in columns}
    if "made_at" in columns:
        texts["made_at"] = [moment.isoformat() for moment in pd.to_datetime(table["made_at"], utc=True)]
    table = table.reindex(columns=list(columns))  # a table of an earlier release lacks some
    optional = [name for name in _OPTIONAL if name in columns]
    values = {name: _or_none(table[name]) for name in optional}
    frame = table.assign(**texts, **values)
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _or_none(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.notna(), None)


def _difference(chain: list[Row], stored: list[Row]) -> list[Row]:
    """Return the keys of the rows in which the stored table differs from the chain."""
    by_key = {tuple(row[name] for name in KEY): row for row in stored}
    keys = {tuple(row[name] for name in KEY): row for row in chain}
    differing = [key for key, row in keys.items() if by_key.get(key) != row]
    differing += [key for key in by_key if key not in keys]
    return [dict(zip(KEY, key, strict=True)) for key in differing]
