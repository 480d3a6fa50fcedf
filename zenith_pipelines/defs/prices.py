"""Prices: what the source said, and what can be believed of it."""

from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from zenith_core.cleaning import clean, data_version
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.resources import KEEP_HISTORY, ZenithResource
from zenith_pipelines.sources import make_source
from zenith_pipelines.store import Dataset


class FetchConfig(dg.Config):
    """Where the prices of this run come from; the environment's choice where nothing is said."""

    source: str | None = None
    csv_dir: str | None = None


@dg.asset(
    partitions_def=ticker_partitions,
    group_name="prices",
    kinds={"parquet"},
    metadata={KEEP_HISTORY: True},
)
def raw_prices(
    context: dg.AssetExecutionContext, config: FetchConfig, zenith: ZenithResource
) -> dg.MaterializeResult[Dataset]:
    """What the source said: unadjusted OHLCV, dividends and splits. A snapshot is never rewritten."""
    settings = zenith.settings
    csv_dir = Path(config.csv_dir) if config.csv_dir else settings.zenith_csv_dir
    fetched = make_source(config.source or settings.zenith_price_source, csv_dir=csv_dir).fetch(context.partition_key)
    facts: dict[str, Any] = {
        "source": fetched.source,
        "library": fetched.library,
        "fetched_at": fetched.fetched_at.isoformat(),
        "content_hash": fetched.content_hash,
        "rows": len(fetched.prices),
    }
    return dg.MaterializeResult(
        value=Dataset({"prices": fetched.prices}, facts),
        metadata={"dagster/row_count": len(fetched.prices), **facts},
        data_version=dg.DataVersion(fetched.content_hash),
    )


@dg.asset(partitions_def=ticker_partitions, group_name="prices", kinds={"parquet", "pandas"})
def cleaned_prices(context: dg.AssetExecutionContext, raw_prices: Dataset) -> dg.MaterializeResult[Dataset]:
    """One row per exchange session, adjusted for splits and dividends; each repair and rejection is counted."""
    cleaned = clean(raw_prices.table, context.partition_key)
    version = data_version(cleaned.prices)
    facts = {
        "counts": cleaned.counts,
        "notes": cleaned.notes,
        "data_version": version,
        "sessions": len(cleaned.prices),
        "first": _day(cleaned.prices.index[0]) if len(cleaned.prices) else None,
        "last": _day(cleaned.prices.index[-1]) if len(cleaned.prices) else None,
        "last_close": float(cleaned.prices["close"].iloc[-1]) if len(cleaned.prices) else None,
        "raw_content_hash": raw_prices.facts["content_hash"],
    }
    return dg.MaterializeResult(
        value=Dataset({"prices": cleaned.prices, "quarantine": cleaned.quarantine}, facts),
        metadata={"dagster/row_count": len(cleaned.prices), **facts},
        data_version=dg.DataVersion(version),
    )


def _day(stamp: date) -> str:
    return stamp.isoformat()[:10]
