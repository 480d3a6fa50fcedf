"""The tickers of a run that names none."""

from collections.abc import Sequence

from zenith_core.errors import UserError
from zenith_pipelines.ingestion.sources.base import PriceSource

_DEFAULTS = {
    "sample": ("AAPL", "MSFT", "IBM", "GOOG"),  # FB is there as well, but too short to train on
    "yahoo": ("PETR4.SA", "VALE3.SA", "ITUB4.SA"),
}


def default_tickers(source: PriceSource) -> Sequence[str]:
    """The source's usual tickers, or all it offers. Raises UserError for a source that cannot say."""
    names = _DEFAULTS.get(source.name) or source.tickers()
    if not names:
        raise UserError(f"the {source.name} source cannot list its tickers: name some with --tickers")
    return names
