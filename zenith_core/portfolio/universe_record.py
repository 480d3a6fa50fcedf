"""The record of the forecasts of all tickers: rank probabilities and the risk of an equal-weight book, scored when due.

A forecast counts if it was made before its target session closed. Its outcome is that of the adjusted prices.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.arrays import Floats
from zenith_core.errors import CorruptData
from zenith_core.evaluation.ledger_chain import ChainSummary, chain_summary, check_chain
from zenith_core.names import ALL_TICKERS
from zenith_core.portfolio.fifths import fifth_shares, ranked_probability_score
from zenith_core.statistics.performance import finite

TAIL = 0.05
EQUAL = 0.16  # score of equal probabilities

Row = dict[str, Any]


def forecast_row(
    origin: str, horizon: int, tickers: Sequence[str], fifths: Floats, value_at_risk: float, shortfall: float
) -> Row:
    """Return the forecast at one horizon. The book has the same value of each ticker, one in all."""
    return {
        "origin": origin,
        "horizon": horizon,
        "tickers": list(tickers),
        "fifths": [[round(float(each), 4) for each in row] for row in fifths],
        "value_at_risk": round(value_at_risk, 6),
        "shortfall": round(shortfall, 6),
    }


def score(row: Mapping[str, Any], made_at: str, closes: pd.DataFrame) -> Row | None:
    """Return the outcome of a forecast on common `closes` (session × ticker), or None if it is not due.

    None too for a forecast that was made after its target session, and if fewer than two of its tickers have prices.
    """
    days = [str(day)[:10] for day in closes.index]
    if row["origin"] not in days:
        return None
    start = days.index(row["origin"])
    target = start + int(row["horizon"])
    if target >= len(days) or date.fromisoformat(made_at[:10]) > date.fromisoformat(days[target]):
        return None
    places = {ticker: place for place, ticker in enumerate(row["tickers"])}
    tickers = [ticker for ticker in row["tickers"] if ticker in closes]
    growth = (closes[tickers].iloc[target] / closes[tickers].iloc[start]).dropna()
    if len(growth) < 2:
        return None
    probabilities = np.array(row["fifths"])[[places[str(ticker)] for ticker in growth.index]]
    rps = ranked_probability_score(probabilities, fifth_shares(np.log(growth.to_numpy())))
    loss = 1 - float(growth.mean())
    return {
        "origin": row["origin"],
        "horizon": row["horizon"],
        "target_date": days[target],
        "tickers": len(growth),
        "rps": round(float(rps.mean()), 6),
        "loss": round(loss, 6),
        "hit": bool(loss > row["value_at_risk"]),
    }


def rows_of(entries: pd.DataFrame, kind: str) -> list[tuple[Row, str]]:
    """Return the rows of the entries of one kind, each with the moment of its entry."""
    own = entries[entries["kind"] == kind]
    return [(row, str(at)) for text, at in zip(own["rows"], own["at"], strict=True) for row in json.loads(text)]


def verify_ledger(entries: pd.DataFrame) -> ChainSummary:
    """Check the ledger of all tickers by itself and return its summary.

    Raises CorruptData for a broken chain, a second forecast or outcome of one origin and horizon, an outcome without a
    forecast, and a hit that does not follow from the loss and the value at risk.
    """
    if (ticker := check_chain(entries)) != ALL_TICKERS:
        raise CorruptData(f"a ledger of {ticker}, not of all tickers")
    forecasts = {_key(row): row for row, _ in rows_of(entries, "forecast")}
    outcomes = {_key(row): row for row, _ in rows_of(entries, "outcome")}
    for kind, table in (("forecast", forecasts), ("outcome", outcomes)):
        if len(table) < len(rows_of(entries, kind)):
            raise CorruptData(f"{ticker}: there are two {kind}s of one origin and horizon")
    for key, outcome in outcomes.items():
        if key not in forecasts:
            raise CorruptData(f"{ticker}: the outcome of {key[0]} over {key[1]} sessions has no forecast")
        if outcome["hit"] != (outcome["loss"] > forecasts[key]["value_at_risk"]):
            raise CorruptData(f"{ticker}: the hit of {key[0]} over {key[1]} sessions contradicts its value at risk")
    return chain_summary(entries, len(forecasts), len(outcomes))


def _key(row: Mapping[str, Any]) -> tuple[str, int]:
    return str(row["origin"]), int(row["horizon"])


def record(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Row]:
    """Return the scores of all outcomes by horizon.

    rps:             mean score; `rps_equal` is that of equal probabilities, `gain` the difference, above 0 if ours is
                     better, and `standard_error` its error, from as many outcomes as do not overlap
    hits, expected:  losses above the value at risk
    """
    horizons = sorted({int(each["horizon"]) for each in outcomes})
    return {str(horizon): _record([each for each in outcomes if each["horizon"] == horizon]) for horizon in horizons}


def _record(outcomes: Sequence[Mapping[str, Any]]) -> Row:
    scores = np.array([each["rps"] for each in outcomes])
    independent = max(len(scores) / outcomes[0]["horizon"], 1.0)
    error = finite(scores.std(ddof=1) / np.sqrt(independent)) if len(scores) > 1 else None
    return {
        "outcomes": len(scores),
        "rps": float(scores.mean()),
        "rps_equal": EQUAL,
        "gain": float(EQUAL - scores.mean()),
        "standard_error": error,
        "tail": TAIL,
        "hits": sum(each["hit"] for each in outcomes),
        "expected_hits": TAIL * len(scores),
        "since": str(outcomes[0]["origin"]),
        "until": str(outcomes[-1]["origin"]),
    }
