"""The forecast ledger: served forecasts with their time, scored at maturity.

A forecast is in the open (ex ante) only if it was made before its target date; `made_at` has the time of each.
"""

from datetime import datetime

import pandas as pd

from zenith_core.inference import PriceForecast
from zenith_core.model_kinds.table import Kind
from zenith_core.risk.forecast_distribution import TAILS, ForecastDistribution
from zenith_core.risk.value_at_risk import expected_shortfall, expected_volatility, value_at_risk
from zenith_core.snapshot import ServingSnapshot

RISK_NUMBERS = ("volatility", *(f"{name}_{100 * tail:g}" for name in ("var", "es") for tail in TAILS))
"""Volatility, and value at risk and expected shortfall at each of TAILS: shares of the close; `var_2.5` is of 2.5 %."""

COLUMNS = (
    *("made_at", "origin", "horizon", "target_date", "close", "forecast", "lower", "upper"),
    *("model_type", "model_version", "data_version", "scale_version", *RISK_NUMBERS, "actual"),
)
"""The scale's version and RISK_NUMBERS are missing without a distribution, and in rows of earlier releases."""

KEY = ("origin", "horizon", "model_type", "model_version")
EARLIER_MODEL = "lstm"
"""The kind of the forecasts whose rows do not name one: those of before 0.2.0."""

_DIGITS = 6


def ledger_rows(
    snapshot: ServingSnapshot,
    forecast: PriceForecast,
    model_type: Kind,
    model_version: int,
    made_at: datetime,
    distribution: ForecastDistribution | None = None,
) -> pd.DataFrame:
    """Return one row per horizon of a forecast from `snapshot`; `actual` is NaN until the target session closes.

    distribution:  behind the bands of the forecast; None if they are the model's own
    """
    horizons = range(1, len(forecast.price) + 1)
    return pd.DataFrame(
        {
            "made_at": made_at,
            "origin": pd.Timestamp(snapshot.as_of),
            "horizon": horizons,
            "target_date": pd.DatetimeIndex(snapshot.next_sessions[: len(horizons)]),
            "close": snapshot.close,
            "forecast": forecast.price.astype(float),
            "lower": forecast.lower.astype(float),
            "upper": forecast.upper.astype(float),
            "model_type": model_type,
            "model_version": model_version,
            "data_version": snapshot.data_version,
            "scale_version": distribution.scale_version if distribution else None,
            **_risk(distribution, horizons),
            "actual": float("nan"),
        },
        columns=list(COLUMNS),
    )


def _risk(distribution: ForecastDistribution | None, horizons: range) -> dict[str, list[float]]:
    if distribution is None:
        return {name: [float("nan")] * len(horizons) for name in RISK_NUMBERS}
    rows = [
        [
            expected_volatility(distribution, horizon),
            *(
                measure(distribution, horizon, tail)
                for measure in (value_at_risk, expected_shortfall)
                for tail in TAILS
            ),
        ]
        for horizon in horizons
    ]
    columns = zip(*rows, strict=True)
    return {name: [round(value, _DIGITS) for value in own] for name, own in zip(RISK_NUMBERS, columns, strict=True)}


def with_model_type(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return a stored ledger with the kind of each forecast's model, which tables of before 0.2.0 lack."""
    return ledger if "model_type" in ledger else ledger.assign(model_type=EARLIER_MODEL)


def append_rows(ledger: pd.DataFrame | None, rows: pd.DataFrame) -> pd.DataFrame:
    """Add `rows` to the ledger. Existing rows are never changed."""
    if ledger is None or ledger.empty:
        return rows
    return pd.concat([ledger, rows]).drop_duplicates(list(KEY), keep="first").reset_index(drop=True)


def fill_actuals(ledger: pd.DataFrame, close: pd.Series) -> pd.DataFrame:
    """Fill `actual` where the target session has closed.

    A later split or dividend rescales the adjusted closes, so the actual price is expressed in the units of the
    forecast: the close at the origin, as it was then, times the return since.
    """
    since = close.reindex(ledger["target_date"]).to_numpy() / close.reindex(ledger["origin"]).to_numpy()
    return ledger.assign(actual=ledger["actual"].fillna(ledger["close"] * since))


def in_the_open(ledger: pd.DataFrame) -> pd.Series:
    """Return True for each row that was made before its target date."""
    made_at = pd.to_datetime(ledger["made_at"], utc=True)
    return made_at < pd.to_datetime(ledger["target_date"]).dt.tz_localize("UTC")
