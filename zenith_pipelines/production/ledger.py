"""The stored forecast ledger of a ticker: its chain of entries, and the table of forecasts that follows from it."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from zenith_core.errors import CorruptData
from zenith_core.evaluation.ledger_chain import (
    ENTRY_COLUMNS,
    append_entry,
    extend_ledger,
    no_entries,
    verify,
)
from zenith_core.evaluation.signal_ledger import add_signal
from zenith_core.model_kinds.table import Kind
from zenith_pipelines.datasets.store import Dataset, DatasetStore

LEDGER = "forecast_ledger"
FORECASTS, ENTRIES = "forecasts", "entries"  # its tables
SIGNALS_GIVEN = "signals"  # the fact that holds the newest signals, oldest first
_MOST_SIGNALS = 60  # about a quarter of daily ones


def next_ledger(
    store: DatasetStore,
    ticker: str,
    rows: pd.DataFrame,
    close: pd.Series,
    recorded: tuple[int, str] | None = None,
    signal: Mapping[str, Any] | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables of the ledger with new forecasts, and the outcomes that `close` brings.

    recorded: number and hash of the last entry, as the last materialization recorded them
    signal:   the newest signal, as `zenith_core.evaluation.signal_ledger` has it

    Raises CorruptData if the stored chain is broken.
    """
    now = datetime.now(UTC)
    tables: Mapping[str, pd.DataFrame] = store.read(LEDGER, ticker).tables if store.exists(LEDGER, ticker) else {}
    try:
        entries, forecasts = extend_ledger(
            tables.get(ENTRIES, no_entries()), tables.get(FORECASTS), ticker, now, rows, close, recorded
        )
    except CorruptData as error:
        place = store.path(LEDGER, ticker)
        raise CorruptData(f"{error}; restore {place} from a backup, or move it away to begin a new chain") from None
    if signal:
        entries = add_signal(entries, ticker, now, signal, close)
    return {FORECASTS: forecasts, ENTRIES: entries}


def next_signals(
    store: DatasetStore, ticker: str, origin: str, facts: Mapping[str, Any], versions: Mapping[Kind, int]
) -> list[dict[str, Any]]:
    """Return the newest signals with the one of `facts`, unless it is the last one again.

    facts: signal, probability and reason; versions: of the models that answer, by kind
    """
    stored = store.facts(LEDGER, ticker) if store.exists(LEDGER, ticker) else {}
    signals: list[dict[str, Any]] = stored.get(SIGNALS_GIVEN, [])
    own = {name: facts[name] for name in ("signal", "probability", "reason")}
    given = {"origin": origin, **own, "versions": dict(versions)}
    return signals if signals[-1:] == [given] else [*signals, given][-_MOST_SIGNALS:]


def record_removal(store: DatasetStore, ticker: str) -> None:
    """Add an entry that says that the ticker was removed, if it has a chain. A damaged ledger stays as it is."""
    if not store.exists(LEDGER, ticker):
        return
    with suppress(CorruptData):
        ledger = store.read(LEDGER, ticker)
        if ENTRIES in ledger.tables:
            entries = append_entry(ledger.tables[ENTRIES], ticker, "removed", datetime.now(UTC), [])
            store.write(LEDGER, ticker, Dataset({**ledger.tables, ENTRIES: entries}, ledger.facts))


def record_rename(store: DatasetStore, old: str, new: str) -> None:
    """Add an entry to the ledger of `new`, a copy of that of `old`, which says that the ticker was renamed. Idempotent.

    Raises CorruptData if the chain is broken.
    """
    if not store.exists(LEDGER, new):
        return
    ledger = store.read(LEDGER, new)
    entries = ledger.tables.get(ENTRIES, no_entries())
    if not entries.empty and verify(entries).ticker == old:
        entries = append_entry(entries, new, "renamed", datetime.now(UTC), [{"from": old}])
        store.write(LEDGER, new, Dataset({**ledger.tables, ENTRIES: entries}, ledger.facts))


def head_of(entries: pd.DataFrame) -> dict[str, Any]:
    """Return number and hash of the last entry, as metadata of a materialization; nothing of a chain without one."""
    if entries.empty:
        return {}
    return {"ledger_entries": int(entries["number"].iloc[-1]), "ledger_head": str(entries["hash"].iloc[-1])}


def read_entries(store: DatasetStore, ticker: str) -> pd.DataFrame:
    """Return the entries of a ticker's ledger, none for the ledger of an earlier release. Raises NotAvailable."""
    return store.read(LEDGER, ticker).tables.get(ENTRIES, no_entries())[list(ENTRY_COLUMNS)]
