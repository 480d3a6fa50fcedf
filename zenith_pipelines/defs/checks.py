"""One check per invariant, named after it. A blocking check stops what is downstream of its asset."""

import warnings

import dagster as dg

from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.requirements import MIN_SESSIONS
from zenith_pipelines.store import Dataset

# Dagster calls partitioned checks a preview, and would say so at each start.
warnings.filterwarnings("ignore", "Specifying a partitions_def on an AssetCheckSpec", dg.PreviewWarning)


@dg.asset_check(asset="cleaned_prices", blocking=True, partitions_def=ticker_partitions)
def enough_history(cleaned_prices: Dataset) -> dg.AssetCheckResult:
    """Enough sessions for the indicators' warm-up, the model's window and the walk-forward folds."""
    sessions = cleaned_prices.facts["sessions"]
    return dg.AssetCheckResult(
        passed=sessions >= MIN_SESSIONS,
        description=f"{sessions} sessions of history; at least {MIN_SESSIONS} are needed to train and test",
        metadata={"sessions": sessions, "needed": MIN_SESSIONS},
    )


@dg.asset_check(asset="cleaned_prices", blocking=True, partitions_def=ticker_partitions)
def sessions_are_unique_and_sorted(cleaned_prices: Dataset) -> dg.AssetCheckResult:
    """One row per session, in order: everything after relies on it."""
    index = cleaned_prices.tables["prices"].index
    offending = [str(day.date()) for day in index[index.duplicated()]]
    return dg.AssetCheckResult(
        passed=index.is_unique and index.is_monotonic_increasing, metadata={"duplicated": offending}
    )
