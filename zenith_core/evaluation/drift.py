"""When a model in service is to be trained again before its time: its bands miss too often, or the market has moved to
where it was never trained. Both are judged so that chance alone seldom sounds the alarm.
"""

from datetime import datetime

import numpy as np
import pandas as pd

from zenith_core.evaluation.forecast_ledger import in_the_open
from zenith_core.forecasting.abstention import Limits
from zenith_core.snapshot import ServingSnapshot

LEVEL = 0.9  # of the ledger's [lower, upper]
HORIZONS = (1, 5)
MAX_FORECASTS = 60  # matured forecasts that are looked at, a quarter of a year of daily ones
MIN_INDEPENDENT = 10  # independent ones, below which nothing is said
ALPHA = 0.001  # one look in a thousand may err; looks on neighbouring days see nearly the same forecasts
DRIFT_SESSIONS = 20  # a month
DRIFT_SHARE = 0.5


def coverage_breach(ledger: pd.DataFrame, since: datetime | None = None) -> str | None:
    """Why the bands of the newest forecasts are not to be believed any more, or None.

    Only forecasts in the open count: made before the day they are for, and after `since` (zone-aware). The forecasts of
    a horizon h overlap: of n made day by day about n / h say something of their own, so many are what the binomial
    test counts, with the same share inside.
    """
    for horizon in HORIZONS:
        inside = _inside(ledger, horizon, since)
        independent = len(inside) // horizon
        if independent >= MIN_INDEPENDENT and _by_chance(float(inside.mean()), independent) < ALPHA:
            return (
                f"{inside.mean():.0%} of the last {len(inside)} forecasts {horizon} sessions ahead came true within "
                f"their {LEVEL:.0%} band"
            )
    return None


def feature_drift(snapshot: ServingSnapshot, limits: Limits) -> str | None:
    """Why the newest inputs are unlike the training rows, by the rule for which a signal model abstains, or None."""
    outside = limits.outside(snapshot.window[-DRIFT_SESSIONS:])
    days = int(outside.any(axis=1).sum())
    if days <= DRIFT_SHARE * len(outside):
        return None
    return f"on {days} of the last {len(outside)} sessions the inputs were outside the range of the training"


def _inside(ledger: pd.DataFrame, horizon: int, since: datetime | None) -> pd.Series:
    """Of the newest matured forecasts in the open: which came within their band. Oldest first."""
    made = pd.to_datetime(ledger["made_at"], utc=True)
    counts = (ledger["horizon"] == horizon) & ledger["actual"].notna() & in_the_open(ledger)
    if since is not None:
        counts &= made > since
    rows = ledger[counts].drop_duplicates("origin", keep="last").sort_values("origin").tail(MAX_FORECASTS)
    return rows["actual"].between(rows["lower"], rows["upper"])


def _by_chance(share: float, independent: int) -> float:
    """The probability that so small a share, or a smaller one, comes within bands that hold LEVEL."""
    from scipy.stats import binom

    return float(binom.cdf(np.floor(share * independent + 1e-9), independent, LEVEL))
