"""Assets of prices: raw snapshots of a source, and the cleaned table."""

import random
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from zenith_core.asset_selection import PRICE_SOURCES
from zenith_core.errors import SourceError
from zenith_core.market.exchanges import exchange_of
from zenith_core.prices.cleaning import data_version
from zenith_core.prices.quality_checks import quarantine_reasons
from zenith_core.table_schemas import cleaned_schema, raw_schema
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.defs.code_versions import code_version
from zenith_pipelines.defs.metadata import OWNERS, column_schema, date_range, materialized, prices_plot
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.resources import KEEP_HISTORY, ZenithResource
from zenith_pipelines.defs.run_requests import BATCH
from zenith_pipelines.ingestion.data_roots import require_below_roots
from zenith_pipelines.ingestion.fetch import FetchResult, clean_snapshot, fetch_and_record_delisting
from zenith_pipelines.ingestion.point_in_time import parse_day, snapshot_as_of
from zenith_pipelines.ingestion.sources import PriceSource, make_source
from zenith_pipelines.ingestion.sources.defaults import default_source
from zenith_pipelines.ingestion.sources.stored_snapshot import SnapshotSource
from zenith_pipelines.tickers import require_ticker


class FetchConfig(dg.Config):
    """The source of the prices; by default the one that `default_source` returns."""

    source: str | None = Field(
        default=None,
        description="`yahoo`, `csv`, `http`, `sample`, `simulated` or a package's; by default the ticker's last one.",
    )
    csv_dir: str | None = Field(
        default=None, description="The folder that the `csv` source reads, below a root of the settings."
    )
    as_of: str | None = Field(
        default=None, description="With `archive`: take the newest snapshot by the end of that day instead of a source."
    )
    archive: str | None = Field(default=None, description="The dataset store that has the snapshot.")


@dg.asset(
    partitions_def=ticker_partitions,
    group_name="prices",
    owners=OWNERS,
    kinds={"parquet"},
    metadata={KEEP_HISTORY: True},
    pool=PRICE_SOURCES,
    code_version=code_version("zenith_pipelines/ingestion"),
)
def raw_prices(
    context: dg.AssetExecutionContext, config: FetchConfig, zenith: ZenithResource
) -> dg.MaterializeResult[Any]:  # Any, or Dagster would insist on a value when there is nothing to store
    """Prices as the source has them: unadjusted OHLCV, dividends and splits. A snapshot is never rewritten.

    A fetch is compared with the last snapshot, and each kind of difference is counted. A fetch without new data adds
    no snapshot; only this materialization records it, with `checked_at`.
    """
    ticker = require_ticker(context.instance, context.partition_key)
    fetch = _fetch(context, zenith.store, _source(context, config, zenith, ticker))
    metadata = {**date_range(fetch.snapshot.table.index), **column_schema(raw_schema()), **fetch.facts}
    version = dg.DataVersion(fetch.facts["content_hash"])
    if fetch.is_new:
        return materialized(value=fetch.snapshot, metadata=metadata, data_version=version)
    return materialized(metadata=metadata, data_version=version)


@dg.asset(
    partitions_def=ticker_partitions,
    group_name="prices",
    owners=OWNERS,
    kinds={"parquet", "pandas"},
    code_version=code_version("zenith_core/prices", "zenith_core/market"),
)
def cleaned_prices(
    context: dg.AssetExecutionContext, zenith: ZenithResource, raw_prices: Dataset
) -> dg.MaterializeResult[Dataset]:
    """One row per exchange session, adjusted for splits and dividends. Each repair and rejection is counted."""
    cleaned = clean_snapshot(raw_prices, context.partition_key)
    version = data_version(cleaned.prices)
    facts = {
        "counts": cleaned.counts,
        "notes": cleaned.notes,
        "quarantine": quarantine_reasons(cleaned.quarantine),
        "data_version": version,
        "sessions": len(cleaned.prices),
        "first": _day(cleaned.prices.index[0]) if len(cleaned.prices) else None,
        "last": _day(cleaned.prices.index[-1]) if len(cleaned.prices) else None,
        "last_close": float(cleaned.prices["close"].iloc[-1]) if len(cleaned.prices) else None,
        "raw_content_hash": raw_prices.facts["content_hash"],
        "currency": raw_prices.facts.get("currency") or exchange_of(context.partition_key).currency,
        "listing": raw_prices.facts.get("listing", {}),
    }
    dataset = Dataset({"prices": cleaned.prices, "quarantine": cleaned.quarantine}, facts)
    return materialized(
        value=dataset,
        metadata={
            **_figures(facts),
            **column_schema(cleaned_schema()),
            **(prices_plot(dataset) if zenith.draws_plots else {}),
        },
        data_version=dg.DataVersion(version),
    )


def _fetch(context: dg.AssetExecutionContext, store: DatasetStore, source: PriceSource) -> FetchResult:
    """Fetch from the source. In a run of Dagster or of a batch, retry once after a minute or two if it is unavailable.

    Sources retry for seconds by themselves. `zenith run` does not retry, because a person waits and can repeat it.
    """
    try:
        return fetch_and_record_delisting(store, source, context.partition_key)
    except SourceError as error:
        if error.retryable and (context.run.remote_job_origin or BATCH in context.run.tags):
            raise dg.RetryRequested(max_retries=1, seconds_to_wait=random.uniform(60, 120)) from error
        raise


def _source(context: dg.AssetExecutionContext, config: FetchConfig, zenith: ZenithResource, ticker: str) -> PriceSource:
    """Return the source of the run. Raises UserError for a folder or store outside the roots of the settings.

    The command line may read all that its user can; a run that Dagster launched may come from a web page.
    """
    if context.run.remote_job_origin:
        for option, place in (("csv_dir", config.csv_dir), ("archive", config.archive)):
            if place:
                require_below_roots(option, place, zenith.settings.data_roots)
    if config.as_of and config.archive:
        return SnapshotSource(ticker, snapshot_as_of(DatasetStore(config.archive), ticker, parse_day(config.as_of)))
    source, folder = default_source(zenith.settings, zenith.store, ticker)
    if config.source:
        source, folder = config.source, zenith.settings.zenith_csv_dir
    return make_source(source, csv_dir=Path(config.csv_dir) if config.csv_dir else folder, settings=zenith.settings)


def _figures(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts with a figure for each count, which Dagster plots over time, without those that are None."""
    counts = {f"cleaning/{name}": count for name, count in facts["counts"].items()}
    plain = {name: value for name, value in facts.items() if name != "counts" and value is not None}
    return {"dagster/row_count": facts["sessions"], **plain, **counts}


def _day(stamp: date) -> str:
    return stamp.isoformat()[:10]
