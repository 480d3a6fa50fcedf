"""Reasons to retrain a served model early: its bands miss too often, or the inputs have left the training range.

Both tests rarely fire by chance alone.
"""

from datetime import datetime

import numpy as np
import pandas as pd

from zenith_core.evaluation.forecast_ledger import in_the_open
from zenith_core.forecasting.abstention import Limits
from zenith_core.snapshot import ServingSnapshot
from zenith_core.words import Text

LEVEL = 0.9  # of the ledger's [lower, upper]
HORIZONS = (1, 5)
MAX_FORECASTS = 60  # newest matured forecasts that are tested: a quarter of a year of daily ones
MIN_INDEPENDENT = 10  # fewer independent ones are not tested
ALPHA = 0.001  # false alert rate of one test; tests on neighbouring days see nearly the same forecasts
DRIFT_SESSIONS = 20  # a month
DRIFT_SHARE = 0.5


def coverage_breach(ledger: pd.DataFrame, since: datetime | None = None) -> Text | None:
    """Return the reason why the bands of the newest forecasts fail, or None.

    Only forecasts in the open count: made before their target day, and after `since` (zone-aware). Bands of a scale do
    not count: each refresh renews them, and training a model changes nothing about them. Forecasts of a
    horizon h overlap, so n daily ones count as about n / h independent ones in the binomial test, with the same share
    inside.
    """
    for horizon in HORIZONS:
        inside = _inside(ledger, horizon, since)
        independent = len(inside) // horizon
        if independent >= MIN_INDEPENDENT and _by_chance(float(inside.mean()), independent) < ALPHA:
            figures = {"share": float(inside.mean()), "count": len(inside), "level": LEVEL}
            return Text("drift.bands", {**figures, "horizon": Text("drift.horizon", {"n": horizon})})
    return None


def feature_drift(snapshot: ServingSnapshot, limits: Limits) -> Text | None:
    """Return how the newest inputs differ from the training rows, by the abstention rule of signal models, or None."""
    outside = limits.outside(snapshot.window[-DRIFT_SESSIONS:])
    days = int(outside.any(axis=1).sum())
    if days <= DRIFT_SHARE * len(outside):
        return None
    return Text("drift.inputs", {"days": days, "count": len(outside)})


def _inside(ledger: pd.DataFrame, horizon: int, since: datetime | None) -> pd.Series:
    """Return for each of the newest matured forecasts in the open if it was within its band. Oldest first."""
    made_at = pd.to_datetime(ledger["made_at"], utc=True)
    counts = (ledger["horizon"] == horizon) & ledger["actual"].notna() & in_the_open(ledger)
    if "scale_version" in ledger:
        counts &= ledger["scale_version"].isna()
    if since is not None:
        counts &= made_at > since
    rows = ledger[counts].drop_duplicates("origin", keep="last").sort_values("origin").tail(MAX_FORECASTS)
    return rows["actual"].between(rows["lower"], rows["upper"])


def _by_chance(share: float, independent: int) -> float:
    """Return the probability of a share inside of `share` or less, for bands of nominal LEVEL."""
    from scipy.special import bdtr

    return float(bdtr(np.floor(share * independent + 1e-9), independent, LEVEL))
