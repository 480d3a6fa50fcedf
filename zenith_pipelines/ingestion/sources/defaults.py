"""The source and the tickers of a run that does not name them."""

from collections.abc import Sequence
from pathlib import Path

from zenith_core.errors import CorruptData, NotAvailable, UserError
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.ingestion.sources.base import RAW_PRICES, PriceSource
from zenith_pipelines.ingestion.sources.sample import SampleSource
from zenith_pipelines.ingestion.sources.simulated import SimulatedSource
from zenith_pipelines.settings import Settings

_DEFAULT_TICKERS = {
    "sample": ("AAPL", "MSFT", "IBM", "GOOG"),  # FB is too short to train on
    "yahoo": ("PETR4.SA", "VALE3.SA", "ITUB4.SA"),
}


def default_source(settings: Settings, store: DatasetStore, ticker: str) -> tuple[str, Path | None]:
    """Return the name of the ticker's source, and its folder if it has one.

    In this order: the source that the environment names; the source of the ticker's newest snapshot, so that a run
    continues the earlier ones; for a new ticker the sample or the simulated prices if they have it, else Yahoo.
    """
    if "zenith_price_source" in settings.model_fields_set:
        return settings.zenith_price_source, settings.zenith_csv_dir
    try:
        facts = store.facts(RAW_PRICES, ticker)
    except (NotAvailable, CorruptData):
        facts = {}
    if source := facts.get("source"):
        folder = facts.get("folder")
        return str(source), Path(folder) if folder else settings.zenith_csv_dir
    local_sources = (source for source in (SampleSource(), SimulatedSource()) if source.offers(ticker))
    return next((source.name for source in local_sources), "yahoo"), settings.zenith_csv_dir


def default_tickers(source: PriceSource) -> Sequence[str]:
    """Return the default tickers of `source`, or all that it lists. Raises UserError if it lists none."""
    tickers = _DEFAULT_TICKERS.get(source.name) or source.tickers()
    if not tickers:
        raise UserError(f"the {source.name} source cannot list its tickers: name some with --tickers")
    return tickers
