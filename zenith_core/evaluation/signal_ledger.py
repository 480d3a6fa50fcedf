"""The signals in the forecast ledger: probabilities as they were served, scored at maturity, as entries of its chain.

signal            the probabilities of the model that answers, and what its labels mean
signal outcome    the label of a signal whose target session has closed
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.evaluation.ledger_chain import append_entry
from zenith_core.inference import SIGNALS

COLUMNS = (
    *("made_at", "origin", "target_date", "horizon", "model_type", "model_version", *SIGNALS, "frequency", "move"),
    "label",
)
"""`frequency` is of buy among past directions, `move` the log return from which on a label is buy or sell."""

_KEY = ("origin", "horizon", "model_type", "model_version")


def replay_signals(entries: pd.DataFrame) -> pd.DataFrame:
    """Return the table of signals that the entries add up to; `label` is empty until the target session closes."""
    table: dict[tuple[Any, ...], dict[str, Any]] = {}
    for entry in entries[entries["kind"].isin(["signal", "signal outcome"])].to_dict("records"):
        for row in json.loads(str(entry["rows"])):
            key = tuple(row[name] for name in _KEY)
            table[key] = {"made_at": entry["at"], "label": "", **table.get(key, {}), **row}
    rows = pd.DataFrame(list(table.values()), columns=list(COLUMNS))
    days = {name: pd.to_datetime(rows[name]) for name in ("origin", "target_date")}
    return rows.assign(made_at=pd.to_datetime(rows["made_at"], utc=True, format="ISO8601"), **days)


def add_signal(
    entries: pd.DataFrame, ticker: str, at: datetime, signal: Mapping[str, Any], close: pd.Series
) -> pd.DataFrame:
    """Add an entry with a signal (COLUMNS without made_at and label) if it is new, and one with labels now known."""
    signals = replay_signals(entries)
    own = {name: str(signal[name]) for name in _KEY}
    stored = signals[list(_KEY)].assign(origin=signals["origin"].dt.strftime("%Y-%m-%d")).astype(str)
    if not (stored == pd.Series(own)).all(axis=1).any():
        entries = append_entry(entries, ticker, "signal", at, [signal])
    outcomes = _outcomes(signals[signals["label"] == ""], close)
    return append_entry(entries, ticker, "signal outcome", at, outcomes) if outcomes else entries


def _outcomes(signals: pd.DataFrame, close: pd.Series) -> list[dict[str, Any]]:
    first, last = (close.reindex(signals[name]).to_numpy(dtype=float) for name in ("origin", "target_date"))
    returns, moves = np.log(last / first), signals["move"].to_numpy(dtype=float)
    labels = np.select([returns > moves, returns < -moves], ["buy", "sell"], "hold")
    keys = signals[list(_KEY)].assign(origin=signals["origin"].dt.strftime("%Y-%m-%d"), label=labels)
    return [{str(name): value for name, value in row.items()} for row in keys[np.isfinite(returns)].to_dict("records")]
