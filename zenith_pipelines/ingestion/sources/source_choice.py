"""Which source a ticker's prices come from when a run does not say."""

from pathlib import Path

from zenith_core.errors import CorruptData, NotAvailable
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.ingestion.fetch import RAW_PRICES
from zenith_pipelines.settings import Settings


def default_source(settings: Settings, store: DatasetStore, ticker: str) -> tuple[str, Path | None]:
    """The name of the source, and its folder if it has one: what the environment names; if it names none, where the
    ticker's newest snapshot came from, so that a schedule goes on where somebody began; else the default.
    """
    if "zenith_price_source" not in settings.model_fields_set:
        try:
            facts = store.facts(RAW_PRICES, ticker)
        except (NotAvailable, CorruptData):
            facts = {}
        if source := facts.get("source"):
            folder = facts.get("folder")
            return str(source), Path(folder) if folder else settings.zenith_csv_dir
    return settings.zenith_price_source, settings.zenith_csv_dir
