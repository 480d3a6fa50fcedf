"""Skipped tickers: a history too short for a forecast or a training is no failure of the run.

The asset that cannot be made yields an observation with the reason instead of a table. Dagster then skips all assets
downstream, and the run succeeds. A ticker that was served or trained before is never skipped: its data went missing,
and its check fails the run.
"""

import logging
from collections.abc import Iterable

import dagster as dg

from zenith_core.names import SKIPPED

# Of a skipped asset's checks Dagster says that downstream steps go on without them, and then skips those steps.
logging.getLogger("dagster._core.execution.plan.active").addFilter(
    lambda record: "emitted no result in step" not in record.getMessage()
)


def skipped(asset: str, ticker: str, reason: str) -> dg.AssetObservation:
    """Return the event by which an asset skips a ticker, with the reason in one line."""
    return dg.AssetObservation(asset, partition=ticker, description=f"skipped: {reason}", metadata={SKIPPED: reason})


def skip_reason(events: Iterable[dg.DagsterEvent]) -> str | None:
    """Return the reason by which the first asset of a run skipped its ticker; None if none did."""
    for event in events:
        if event.is_asset_observation:
            entry = event.asset_observation_data.asset_observation.metadata.get(SKIPPED)
            if entry is not None:
                return str(entry.value)
    return None
