"""The e-value of a ticker's served forecasts and signals at each horizon, from its ledger.

Only forecasts made in the open count, the first of each origin: a later one could be chosen by the prices since.

The walk-forward of the first version that was ever registered counts too, once, as the wealth that the bets begin with.
Those of later versions forecast the same sessions again, so each further training would be a further try.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.arrays import Floats
from zenith_core.evaluation.champion_challenger import COVERAGE_HORIZONS
from zenith_core.evaluation.forecast_ledger import in_the_open
from zenith_core.evaluation.metrics import known_frequencies
from zenith_core.evidence.direction_gains import buy_shares, direction_gains, past_means
from zenith_core.evidence.e_process import BETS, log_bets, log_mean
from zenith_core.evidence.loss_differences import price_differences
from zenith_core.inference import SIGNALS

_DIGITS = 6  # of a log wealth

Start = Mapping[str, Mapping[str, Any]]
"""By horizon: `since`, the first origin, and `log_wealths` of each of BETS. Of signals also their number, `signals`,
and the sum of their `buy_shares`: their mean goes on."""


def walk_forward_start(forecasts: pd.DataFrame, before: pd.Timestamp | None = None) -> Start:
    """Return the wealth with which the ledger's bets begin, JSON-ready.

    forecasts:  origin, horizon, target_date, close, forecast, lower, upper, actual
    before:     the first origin of the ledger, if it has one: outcomes after it are the ledger's
    """
    rows = forecasts[forecasts["actual"].notna()]
    if before is not None:
        rows = rows[rows["target_date"] <= before]
    return {
        str(horizon): _start(own["origin"], _log_bets(own, horizon))
        for horizon in COVERAGE_HORIZONS
        if len(own := rows[rows["horizon"] == horizon].sort_values("origin"))
    }


def signal_start(signals: pd.DataFrame, horizon: int, earlier_labels: Sequence[str] = ()) -> Start:
    """Return the wealth with which the bets on signals begin, JSON-ready; empty without a known label.

    signals:         walk-forward signals of consecutive sessions: date, probabilities of SIGNALS, label
    earlier_labels:  those known before the first one, for the naive forecast
    """
    labels = pd.Index(SIGNALS).get_indexer(pd.Index(signals["label"], dtype=object))
    shares = buy_shares(signals[list(SIGNALS)].to_numpy(dtype=float))
    frequency = buy_shares(known_frequencies(labels, horizon, earlier_labels))
    gains, bounds = direction_gains(shares, past_means(shares), frequency, labels)
    dates = pd.DatetimeIndex(signals["date"])
    rows = np.flatnonzero(labels[: max(len(labels) - horizon, 0)] >= 0)
    if not len(rows):
        return {}
    wealths = _log_bets_of(gains[rows], bounds[rows], dates[rows], dates[rows + horizon], horizon)
    return {
        str(horizon): _start(dates[rows], wealths)
        | {"signals": len(shares), "buy_shares": round(float(shares.sum()), _DIGITS)}
    }


def _start(origins: pd.Series | pd.DatetimeIndex, log_wealths: Floats) -> dict[str, Any]:
    return {
        "since": str(pd.DatetimeIndex(origins)[0].date()),
        "log_wealths": [round(float(wealth), _DIGITS) for wealth in log_wealths],
    }


def ledger_evidence(ledger: pd.DataFrame, start: Start) -> dict[str, dict[str, Any]]:
    """Return by horizon `log_e_value`, and `since`, the first origin that counts, or None. JSON-ready.

    ledger: `zenith_core.evaluation.forecast_ledger.COLUMNS`
    """
    first = ledger[in_the_open(ledger)].sort_values(["origin", "made_at"], kind="stable")
    rows = first.drop_duplicates(["origin", "horizon"], keep="first")
    return {str(horizon): _evidence(rows, horizon, start.get(str(horizon), {})) for horizon in COVERAGE_HORIZONS}


def signal_evidence(signals: pd.DataFrame, start: Start) -> dict[str, dict[str, Any]]:
    """Return the same for signals.

    signals: `zenith_core.evaluation.signal_ledger.COLUMNS`
    """
    first = signals[in_the_open(signals)].sort_values(["origin", "made_at"], kind="stable")
    rows = first.drop_duplicates(["origin", "horizon"], keep="first")
    horizons = sorted({*start, *map(str, rows["horizon"])}, key=int)
    return {
        horizon: _signal_evidence(rows[rows["horizon"] == int(horizon)], int(horizon), start.get(horizon, {}))
        for horizon in horizons
    }


def _signal_evidence(rows: pd.DataFrame, horizon: int, start: Mapping[str, Any]) -> dict[str, Any]:
    labels = pd.Index(SIGNALS).get_indexer(pd.Index(rows["label"], dtype=object))
    shares = buy_shares(rows[list(SIGNALS)].to_numpy(dtype=float))
    usual = past_means(shares, start.get("signals", 0), start.get("buy_shares", 0.0))
    gains, bounds = direction_gains(shares, usual, rows["frequency"].to_numpy(dtype=float), labels)
    wealths = _log_bets_of(gains, bounds, rows["origin"], rows["target_date"], horizon)
    total = np.array(start.get("log_wealths", np.zeros(len(BETS)))) + wealths
    origins = rows.loc[rows["label"] != "", "origin"]
    since = start.get("since") or (str(origins.iloc[0].date()) if len(origins) else None)
    return {"log_e_value": round(float(log_mean(total)), _DIGITS), "since": since}


def _evidence(rows: pd.DataFrame, horizon: int, start: Mapping[str, Any]) -> dict[str, Any]:
    own = rows[rows["horizon"] == horizon]
    wealths = np.array(start.get("log_wealths", np.zeros(len(BETS)))) + _log_bets(own, horizon)
    origins = own.loc[own["actual"].notna(), "origin"]
    since = start.get("since") or (str(origins.iloc[0].date()) if len(origins) else None)
    return {"log_e_value": round(float(log_mean(wealths)), _DIGITS), "since": since}


def _log_bets(rows: pd.DataFrame, horizon: int) -> Floats:
    """Return the log wealth of each of BETS on rows of one horizon by origin."""
    columns = (rows[name].to_numpy(dtype=float) for name in ("close", "forecast", "lower", "upper", "actual"))
    gains, bounds = price_differences(*columns)
    return _log_bets_of(gains, bounds, rows["origin"], rows["target_date"], horizon)


def _log_bets_of(gains: Floats, bounds: Floats, origins: Any, targets: Any, horizon: int) -> Floats:
    """Return the log wealth of each of BETS on differences by origin."""
    first, last = (pd.DatetimeIndex(days).to_numpy("datetime64[D]").astype(np.int64) for days in (origins, targets))
    return log_bets(gains, bounds, first, last, horizon, int(first[-1]) if len(first) else 0)
