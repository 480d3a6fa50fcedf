"""The report's section on a ticker among all tickers, from their stored forecast and its record."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from zenith_core.report.document import AmongAll, Standing


def among_all(ticker: str, as_of: str, ranks: Mapping[str, Any], record: Mapping[str, Any]) -> AmongAll | None:
    """Return the place of a ticker among all; None if it is not among them, is alone, or another release stored them.

    ranks, record:  by horizon, as the pipelines store them
    """
    with suppress(KeyError, ValueError, TypeError):
        horizons = [_standing(ticker, horizon, facts, record) for horizon, facts in ranks.items()]
        *_, facts = ranks.values()
        count, bets = len(facts["tickers"]), facts["independent_bets"]
        return AmongAll(as_of=as_of, tickers=count, independent_bets=bets, horizons=horizons) if count > 1 else None
    return None


def _standing(ticker: str, horizon: str, facts: Mapping[str, Any], record: Mapping[str, Any]) -> Standing:
    book = facts["book"]
    row: Mapping[str, Any] = next((row for row in facts["tickers"] if row["ticker"] == ticker), {})
    return Standing(**row, **book, **book["parts"][ticker], horizon=int(horizon), record=record.get(horizon))
