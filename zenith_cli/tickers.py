"""`zenith tickers`: which tickers are scheduled and served."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from zenith_core.errors import NotAvailable
from zenith_core.market.exchanges import exchange_of, listed_tickers
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import SERVED, add_tickers, known_tickers, remove_tickers


def add(texts: Sequence[str], *, as_json: bool) -> None:
    """Add tickers, and say which are new. Raises InvalidTicker, and then adds none."""
    settings = Settings()  # first: it knows the exchanges of ZENITH_EXCHANGES
    tickers = listed_tickers(",".join(texts))
    with open_instance(settings) as instance:
        added = add_tickers(instance, tickers)
    there = [ticker for ticker in tickers if ticker not in added]
    if as_json:
        print(json.dumps({"added": added, "already_there": there}))
        return
    print(f"added: {', '.join(added) or 'none'}" + (f" · already there: {', '.join(there)}" if there else ""))
    if added:
        print(f"Next: `zenith run --tickers {','.join(added)}`, or leave it to the schedules of `zenith ui`.")


def remove(texts: Sequence[str], *, as_json: bool) -> None:
    """Remove tickers. Raises UserError for one that is not there or would come back, and then removes none."""
    settings = Settings()
    tickers = listed_tickers(",".join(texts))
    with open_instance(settings) as instance:
        removed = remove_tickers(instance, settings, tickers)
    if as_json:
        print(json.dumps({"removed": removed}))
        return
    print(f"removed: {', '.join(removed)} · scheduled and served no more; prices, models and forecasts are kept")


def show(*, as_json: bool) -> None:
    """List the tickers, and since when each is served."""
    settings = Settings()
    with open_instance(settings) as instance:
        known = known_tickers(instance)
    store = DatasetStore(settings.data_uri)
    rows = [_row(store, ticker) for ticker in known]
    if as_json:
        print(json.dumps({"tickers": rows}, indent=2))
        return
    if not rows:
        print("no tickers yet: `zenith tickers add AAPL`, or `zenith run`")
        return
    table = Table("ticker", "exchange", "currency", "served, with data until", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(row["ticker"], row["exchange"], row["currency"], row["as_of"] or "–")
    Console(highlight=False).print(table)


def _row(store: DatasetStore, ticker: str) -> dict[str, str | None]:
    exchange = exchange_of(ticker)
    try:
        as_of: str | None = store.facts(SERVED, ticker)["as_of"]
    except NotAvailable:
        as_of = None
    return {"ticker": ticker, "exchange": exchange.code, "currency": exchange.currency, "as_of": as_of}
