"""The ledger of the forecasts of all tickers: a chain of entries, as that of a ticker (docs/decisions/0047)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.errors import CorruptData
from zenith_core.evaluation.ledger_chain import ENTRY_COLUMNS, append_entry, no_entries
from zenith_core.names import ALL_TICKERS, UNIVERSE_LEDGER
from zenith_core.portfolio.universe import Universe
from zenith_core.portfolio.universe_record import Row, forecast_row, record, rows_of, score, verify_ledger
from zenith_pipelines.datasets.store import Dataset, DatasetStore

ENTRIES = "entries"
_SHOWN = 250  # newest outcomes


def next_universe_ledger(
    store: DatasetStore, universe: Universe, facts: dict[str, Any], closes: pd.DataFrame
) -> Dataset:
    """Return the ledger with the forecasts of the stored `facts` of a universe, and the outcomes that `closes` bring.

    Raises CorruptData if the stored chain is broken.
    """
    entries, now = _checked(store), datetime.now(UTC)
    forecasts, outcomes = rows_of(entries, "forecast"), rows_of(entries, "outcome")
    if len(universe.tickers) > 1 and universe.as_of not in {row["origin"] for row, _ in forecasts}:
        new = _forecasts(universe, facts["ranks"])
        entries = append_entry(entries, ALL_TICKERS, "forecast", now, new) if new else entries
        forecasts += [(row, now.isoformat()) for row in new]
    keys = {(row["origin"], row["horizon"]) for row, _ in outcomes}
    due = [
        outcome
        for row, made_at in forecasts
        if (row["origin"], row["horizon"]) not in keys and (outcome := score(row, made_at, closes))
    ]
    if due:
        entries = append_entry(entries, ALL_TICKERS, "outcome", now, due)
    results = [row for row, _ in outcomes] + due
    return Dataset({ENTRIES: entries}, {"record": record(results), "outcomes": results[-_SHOWN:]})


def _forecasts(universe: Universe, ranks: Mapping[str, Any]) -> list[Row]:
    rows = []
    for horizon, facts in ranks.items():
        if (book := facts.get("book")) is None:
            continue  # stored by an earlier release: the next night's has one
        by_ticker = {row["ticker"]: row["fifths"] for row in facts["tickers"]}
        fifths = np.array([by_ticker[ticker] for ticker in universe.tickers])
        risk = book["value_at_risk"], book["expected_shortfall"]
        rows.append(forecast_row(universe.as_of, int(horizon), universe.tickers, fifths, *risk))
    return rows


def read_universe_entries(store: DatasetStore) -> pd.DataFrame:
    """Return the entries of the stored ledger, none if there is none, unchecked."""
    if not store.exists(UNIVERSE_LEDGER, ALL_TICKERS):
        return no_entries()
    return store.read(UNIVERSE_LEDGER, ALL_TICKERS).tables[ENTRIES][list(ENTRY_COLUMNS)]


def _checked(store: DatasetStore) -> pd.DataFrame:
    entries = read_universe_entries(store)
    try:
        if not entries.empty:
            verify_ledger(entries)
    except CorruptData as error:
        place = store.path(UNIVERSE_LEDGER, ALL_TICKERS)
        raise CorruptData(f"{error}; restore {place} from a backup, or move it away to begin a new chain") from None
    return entries
