"""The out-of-sample record of a ticker's risk for its serving snapshot."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pandas as pd

from zenith_core.errors import CorruptData, NotAvailable
from zenith_core.evaluation.risk_record import RENEWAL, walk_forward_record
from zenith_core.risk.price_moves import price_moves
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.risk.scale_prior import priors
from zenith_pipelines.tickers import SERVED


def record_facts(store: DatasetStore, ticker: str, prices: pd.DataFrame) -> dict[str, Any]:
    """Return `risk_record` for the next snapshot of a ticker: the stored one, or a new one of its cleaned `prices`."""
    previous: Mapping[str, Any] = {}
    with suppress(NotAvailable, CorruptData):
        previous = store.facts(SERVED, ticker).get("risk_record", {})
    return {"risk_record": renewed_record(previous, prices)}


def renewed_record(previous: Mapping[str, Any], prices: pd.DataFrame) -> dict[str, Any]:
    """Return the previous record of a ticker's cleaned `prices`, or a new one after RENEWAL sessions.

    It is of the packaged scales, each after its year end; a second a ticker is too much for each refresh. One that an
    earlier release made without the record of the bands or their peers is made anew.
    """
    is_whole = all({"band", "peers"} <= figures.keys() for figures in previous.get("horizons", {}).values())
    until = pd.Timestamp(previous["until"]) if previous and is_whole else None
    if until is not None and until in prices.index and (prices.index > until).sum() < RENEWAL:
        return dict(previous)
    return walk_forward_record(priors(), price_moves(prices))
