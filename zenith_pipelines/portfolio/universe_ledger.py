"""The ledger of the forecasts of all tickers: a chain of entries, as that of a ticker (docs/decisions/0047)."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.errors import CorruptData
from zenith_core.evaluation.ledger_chain import ENTRY_COLUMNS, GENESIS, append_entry, entry_hash, no_entries
from zenith_core.names import ALL_TICKERS, UNIVERSE_LEDGER
from zenith_core.portfolio.book_risk import book_risk
from zenith_core.portfolio.ranks import RANKED
from zenith_core.portfolio.universe import Universe
from zenith_core.portfolio.universe_record import TAIL, Row, forecast_row, record, score
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.portfolio.universe import served_distributions

ENTRIES = "entries"
_DRAWS = 4_000
_SHOWN = 250  # newest outcomes


def next_universe_ledger(
    store: DatasetStore, universe: Universe, facts: dict[str, Any], closes: pd.DataFrame
) -> Dataset:
    """Return the ledger with the forecasts of the stored `facts` of a universe, and the outcomes that `closes` bring.

    Raises CorruptData if the stored chain is broken.
    """
    entries, now = _stored(store), datetime.now(UTC)
    forecasts, outcomes = _rows(entries, "forecast"), _rows(entries, "outcome")
    if len(universe.tickers) > 1 and universe.as_of not in {row["origin"] for row, _ in forecasts}:
        new = _forecasts(store, universe, facts)
        entries = append_entry(entries, ALL_TICKERS, "forecast", now, new)
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


def _forecasts(store: DatasetStore, universe: Universe, facts: dict[str, Any]) -> list[Row]:
    columns = range(len(universe.tickers))
    draws, distributions = universe.standard_draws(columns, _DRAWS), served_distributions(store, universe)
    values = np.full(len(columns), 1 / len(columns))
    rows = []
    for horizon in RANKED:
        moves = universe.in_marginals(draws, columns, distributions, horizon)
        (tail,) = book_risk(values, moves, (TAIL,)).tails
        ranks = {row["ticker"]: row["fifths"] for row in facts["ranks"][str(horizon)]["tickers"]}
        fifths = np.array([ranks[ticker] for ticker in universe.tickers])
        rows.append(forecast_row(universe.as_of, horizon, universe.tickers, fifths, tail.value_at_risk, tail.shortfall))
    return rows


def _stored(store: DatasetStore) -> pd.DataFrame:
    """Return the entries of the stored ledger. Raises CorruptData at the first that does not fit the one before."""
    if not store.exists(UNIVERSE_LEDGER, ALL_TICKERS):
        return no_entries()
    entries = store.read(UNIVERSE_LEDGER, ALL_TICKERS).tables[ENTRIES][list(ENTRY_COLUMNS)]
    previous = GENESIS
    for number, row in enumerate(entries.to_dict("records"), 1):
        entry = {str(name): value for name, value in row.items()}
        if entry["previous"] != previous or entry["hash"] != entry_hash(entry) or entry["number"] != number:
            place = store.path(UNIVERSE_LEDGER, ALL_TICKERS)
            raise CorruptData(
                f"entry {number} of the ledger of all tickers does not fit the one before; restore {place} from a "
                "backup, or move it away to begin a new chain"
            )
        previous = str(entry["hash"])
    return entries


def _rows(entries: pd.DataFrame, kind: str) -> list[tuple[Row, str]]:
    """Return the rows of the entries of one kind, each with the moment of its entry."""
    own = entries[entries["kind"] == kind]
    return [(row, str(at)) for text, at in zip(own["rows"], own["at"], strict=True) for row in json.loads(text)]
