"""Option and argument types shared by the commands."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from zenith_core.errors import InvalidTicker
from zenith_core.market.tickers import validate_ticker
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.table import KINDS

Names = TypeVar("Names", str, list[str], None)


def current_names(names: Names) -> Names:
    """Replace the old name of a ticker that was renamed lately, also in lists with commas, and say so on stderr."""
    if isinstance(names, list):
        return [current_names(name) for name in names]
    if names is None:
        return None
    return ",".join(map(_current_name, names.split(",")))


def _current_name(text: str) -> str:
    from zenith_core.names import RENAMED
    from zenith_pipelines.datasets.store import DatasetStore
    from zenith_pipelines.settings import Settings

    try:
        ticker = validate_ticker(text.strip())
    except InvalidTicker:  # the command reports it
        return text
    settings = Settings()
    if not DatasetStore(settings.data_uri).exists(RENAMED, ticker):
        return text
    from zenith_pipelines.renaming import current_name  # imports Dagster

    if (name := current_name(settings, ticker)) != ticker:
        print(f"zenith: {ticker} is {name} now", file=sys.stderr)
    return name


Ticker = Annotated[str, typer.Argument(help="Ticker, for example AAPL or PETR4.SA.", callback=current_names)]
PresentTickers = Annotated[
    list[str], typer.Argument(help="Tickers, for example AAPL PETR4.SA or AAPL,PETR4.SA.", callback=current_names)
]
Tickers = Annotated[list[str], typer.Argument(help="Tickers, for example AAPL PETR4.SA or AAPL,PETR4.SA.")]
TickerList = Annotated[str | None, typer.Option(help="Comma-separated tickers. Default: all.", callback=current_names)]
Jobs = Annotated[int | None, typer.Option(min=1, help="Tickers to process in parallel. Default: one per core.")]
AsOf = Annotated[str | None, typer.Option(help="Use only data known at the end of this day, for example 2026-11-20.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reason = Annotated[str | None, typer.Option(help="Reason to record in the decision history.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]


class Table(StrEnum):
    """Tables of a ticker that can be exported."""

    RAW = "raw"
    PRICES = "prices"
    FEATURES = "features"
    FORECASTS = "forecasts"
    RISK = "risk"
    SIGNALS = "signals"
    TRADES = "trades"
    EQUITY = "equity"
    LEDGER = "ledger"


if TYPE_CHECKING:

    class Model(StrEnum):
        """Kinds of model."""

else:
    Model = StrEnum("Model", {kind.upper(): kind for kind in KINDS})


class Format(StrEnum):
    """File formats of an export."""

    CSV = "csv"
    PARQUET = "parquet"
    XLSX = "xlsx"


SIGNAL_MODEL = Model(ANSWERS.for_all["signal"])
ModelKind = Annotated[Model, typer.Argument(help="Kind of model.")]
