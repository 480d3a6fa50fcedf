"""Price sources by name: those of Zenith, and those of installed packages."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zenith_core.errors import UserError
from zenith_pipelines.ingestion.sources.base import PriceSource, RawPrices
from zenith_pipelines.ingestion.sources.csv_folder import CsvFolderSource
from zenith_pipelines.ingestion.sources.http_csv import HttpCsvSource
from zenith_pipelines.ingestion.sources.pace import SharedPace
from zenith_pipelines.ingestion.sources.packages import ENTRY_POINTS, PackageSource, package_sources
from zenith_pipelines.ingestion.sources.sample import SampleSource
from zenith_pipelines.ingestion.sources.simulated import SimulatedSource
from zenith_pipelines.ingestion.sources.yahoo import YahooSource
from zenith_pipelines.settings import Settings

__all__ = ["ENTRY_POINTS", "SOURCES", "PriceSource", "RawPrices", "SourceOptions", "make_source", "yahoo_pace"]


@dataclass(frozen=True)
class SourceOptions:
    """Options of sources.

    settings: of the pipelines; addresses and keys are there
    csv_dir:  the folder of the `csv` source
    """

    settings: Settings
    csv_dir: Path | None = None


def yahoo_pace(settings: Settings) -> SharedPace:
    """Return the pace of all requests to Yahoo."""
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
    return SharedPace("yahoo", settings.zenith_yahoo_rate, settings.home, redis_url)


SOURCES: dict[str, Callable[[SourceOptions], PriceSource]] = {
    "yahoo": lambda options: YahooSource(pace=yahoo_pace(options.settings)),
    "csv": lambda options: CsvFolderSource(options.csv_dir),
    "http": lambda options: HttpCsvSource(options.settings.zenith_price_url, options.settings.zenith_price_key),
    "sample": lambda _: SampleSource(),
    "simulated": lambda _: SimulatedSource(),
}


def make_source(name: str, *, csv_dir: Path | None = None, settings: Settings | None = None) -> PriceSource:
    """Return the source called `name`: Zenith's own, else that of a package. Raises UserError, which lists them."""
    options = SourceOptions(settings or Settings(), csv_dir)
    if name in SOURCES:
        return SOURCES[name](options)
    packages = package_sources()
    if name not in packages:
        raise UserError(f"no price source {name!r}; there are {', '.join(sorted({*SOURCES, *packages}))}")
    return PackageSource.load(packages[name], options)
