"""The track record of served forecasts: the newest ones for a chart, and the scores of all that matured.

A forecast is in the open if it was made before its target day. A run on old prices writes forecasts whose targets are
in the past: they are shown, but never scored.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zenith_core.evaluation.champion_challenger import COVERAGE_HORIZONS
from zenith_core.evaluation.forecast_ledger import in_the_open, with_model_type
from zenith_core.statistics.performance import finite

ORIGINS = 250  # about a year of daily forecasts
_SHOWN = (
    *("origin", "target_date", "horizon", "made_at", "close", "forecast", "lower", "upper", "actual"),
    *("model_type", "model_version", "in_the_open"),
)


def track_record(ledger: pd.DataFrame) -> dict[str, Any]:
    """Return the track record of a ledger (`zenith_core.evaluation.forecast_ledger.COLUMNS`), JSON-ready and bounded.

    `forecasts` are of the last ORIGINS origins, oldest first, at COVERAGE_HORIZONS sessions. `summary` scores, by
    horizon and over all origins, the matured forecasts made in the open: their number (`matured`), the share within
    [lower, upper] (`coverage`), and the mean absolute error as a fraction of the origin's close, of the forecast
    (`mae`) and of "the price stays" (`mae_naive`). Undefined figures are None.
    """
    rows = _one_each(with_model_type(ledger)[ledger["horizon"].isin(COVERAGE_HORIZONS)])
    newest = sorted(rows["origin"].unique())[-ORIGINS:]
    return {
        "forecasts": _documents(rows[rows["origin"].isin(newest)]),
        "summary": {str(horizon): _summary(rows[rows["horizon"] == horizon]) for horizon in COVERAGE_HORIZONS},
    }


def _one_each(ledger: pd.DataFrame) -> pd.DataFrame:
    """Keep the last forecast of each origin and horizon, in the open if there is one: one outcome counts once."""
    rows = ledger.assign(in_the_open=in_the_open(ledger))
    by_time = rows.sort_values(["in_the_open", "made_at"], kind="stable")
    return by_time.drop_duplicates(["origin", "horizon"], keep="last").sort_values(["origin", "horizon"])


def _summary(rows: pd.DataFrame) -> dict[str, Any]:
    scored_rows = rows[rows["in_the_open"] & rows["actual"].notna()]
    close, forecast, lower, upper, actual = (
        scored_rows[["close", "forecast", "lower", "upper", "actual"]].to_numpy(dtype=float).T
    )
    inside = (lower <= actual) & (actual <= upper)
    return {
        "matured": len(scored_rows),
        "coverage": _mean(inside),
        "mae": _mean(np.abs(forecast - actual) / close),
        "mae_naive": _mean(np.abs(close - actual) / close),
    }


def _mean(values: NDArray[Any]) -> float | None:
    return finite(values.mean()) if values.size else None


def _documents(rows: pd.DataFrame) -> list[dict[str, Any]]:
    made_at = pd.to_datetime(rows["made_at"], utc=True)
    table = rows[list(_SHOWN)].assign(
        origin=rows["origin"].dt.strftime("%Y-%m-%d"),
        target_date=rows["target_date"].dt.strftime("%Y-%m-%d"),
        made_at=[moment.isoformat() for moment in made_at],
        actual=rows["actual"].astype(object).where(rows["actual"].notna(), None),
        model_version=rows["model_version"].astype(str),
    )
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
