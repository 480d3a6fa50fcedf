"""Price sources by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zenith_core.errors import UserError
from zenith_pipelines.ingestion.sources.base import PriceSource, RawPrices
from zenith_pipelines.ingestion.sources.csv_folder import CsvFolderSource
from zenith_pipelines.ingestion.sources.sample import SampleSource
from zenith_pipelines.ingestion.sources.simulated import SimulatedSource
from zenith_pipelines.ingestion.sources.yahoo import YahooSource

__all__ = ["SOURCES", "PriceSource", "RawPrices", "SourceOptions", "make_source"]


@dataclass(frozen=True)
class SourceOptions:
    """Options of sources: the folder of the `csv` source."""

    csv_dir: Path | None = None


SOURCES: dict[str, Callable[[SourceOptions], PriceSource]] = {
    "yahoo": lambda _: YahooSource(),
    "csv": lambda options: CsvFolderSource(options.csv_dir),
    "sample": lambda _: SampleSource(),
    "simulated": lambda _: SimulatedSource(),
}


def make_source(name: str, *, csv_dir: Path | None = None) -> PriceSource:
    """Return the source called `name`. Raises UserError, which lists the sources, for another name."""
    try:
        factory = SOURCES[name]
    except KeyError:
        raise UserError(f"no price source {name!r}; there are {', '.join(sorted(SOURCES))}") from None
    return factory(SourceOptions(csv_dir=csv_dir))
