"""`zenith tickers`: add, remove and list the tickers that are scheduled and served."""

import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from zenith_core.errors import NotAvailable, UserError
from zenith_core.market.exchanges import exchange_of, listed_tickers
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.ingestion.sources import make_source
from zenith_pipelines.ingestion.sources.defaults import default_source
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.renaming import rename_ticker, unfinished_renames
from zenith_pipelines.settings import Settings, prepare_home
from zenith_pipelines.tickers import SERVED, add_tickers, known_tickers, remove_tickers, tickers_of_unknown_exchanges


def add(texts: Sequence[str], *, as_json: bool) -> None:
    """Add tickers and print the new ones. Raises InvalidTicker without adding any."""
    settings = Settings()  # first, because it registers the exchanges of ZENITH_EXCHANGES
    tickers = listed_tickers(",".join(texts))
    with open_instance(settings) as instance:
        new_tickers = add_tickers(instance, tickers)
    existing = [ticker for ticker in tickers if ticker not in new_tickers]
    if as_json:
        print(json.dumps({"added": new_tickers, "already_there": existing}))
        return
    print(
        f"added: {', '.join(new_tickers) or 'none'}" + (f" · already there: {', '.join(existing)}" if existing else "")
    )
    if new_tickers:
        print(f"Next: `zenith run --tickers {','.join(new_tickers)}`, or wait for the schedules of `zenith ui`.")


def remove(texts: Sequence[str], *, as_json: bool) -> None:
    """Remove tickers. Raises UserError without removing any if one is missing or would be added again."""
    settings = Settings()
    tickers = listed_tickers(",".join(texts))
    with open_instance(settings) as instance:
        old_tickers = remove_tickers(instance, settings, tickers)
    if as_json:
        print(json.dumps({"removed": old_tickers}))
        return
    print(f"removed: {', '.join(old_tickers)} · no longer scheduled or served; prices, models and forecasts are kept")


def rename(old_text: str, new_text: str, *, as_json: bool) -> None:
    """Rename a ticker, or finish its rename. Raises UserError or NotAvailable without renaming."""
    settings = Settings()
    prepare_home(settings)
    old, new = (listed_tickers(text)[0] for text in (old_text, new_text))
    registry = ModelRegistry(settings.tracking_uri, settings.artifact_root)
    with open_instance(settings) as instance:
        result = rename_ticker(instance, settings, registry, old, new)
    if as_json:
        print(json.dumps({"renamed": result.old, "to": result.new, "both_answer_until": result.until}))
        return
    print(f"renamed: {old} is {new} now, with its prices, {_count(result.models, 'model')} and forecasts")
    print(f"Requests for {old} are answered as {new} until {result.until}. {_next_step(settings, new)}")


def _next_step(settings: Settings, ticker: str) -> str:
    """Return the next step: a run, if the ticker's source can have the new name."""
    name, folder = default_source(settings, DatasetStore(settings.data_uri), ticker)
    try:
        if make_source(name, csv_dir=folder, settings=settings).offers(ticker):
            return f"Next: `zenith run --tickers {ticker}`"
    except UserError:  # a folder that is gone
        pass
    return f"Its source {name} has no {ticker} yet: rename it there, or name another with --source"


def _count(items: Sequence[object], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def show(*, as_json: bool) -> None:
    """List the tickers with the date of their latest served data."""
    settings = Settings()
    with open_instance(settings) as instance:
        tickers, unknown = known_tickers(instance), tickers_of_unknown_exchanges(instance)
    store = DatasetStore(settings.data_uri)
    for one in unfinished_renames(store):
        remedy = f"`zenith tickers rename {one.old} {one.new}` finishes it"
        print(f"zenith: the rename of {one.old} to {one.new} is not finished: {remedy}", file=sys.stderr)
    rows = [_row(store, ticker) for ticker in tickers]
    if as_json:
        print(json.dumps({"tickers": rows, **({"of_unknown_exchanges": unknown} if unknown else {})}, indent=2))
        return
    if unknown:
        remedy = "set ZENITH_EXCHANGES here as it was when they were added"
        print(f"zenith: not listed, because their exchange is unknown: {', '.join(unknown)}; {remedy}", file=sys.stderr)
    if not (rows or unknown):
        print("no tickers yet: add one with `zenith tickers add AAPL`, or start with `zenith run`")
        return
    if not rows:
        return
    table = Table("ticker", "exchange", "currency", "served data until", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(row["ticker"], row["exchange"], row["currency"], row["as_of"] or "–")
    Console(highlight=False, markup=False).print(table)


def _row(store: DatasetStore, ticker: str) -> dict[str, str | None]:
    exchange = exchange_of(ticker)
    try:
        snapshot = store.facts(SERVED, ticker)
    except NotAvailable:
        snapshot = {}
    currency = snapshot.get("currency", exchange.currency)
    return {"ticker": ticker, "exchange": exchange.code, "currency": currency, "as_of": snapshot.get("as_of")}
