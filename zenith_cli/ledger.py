"""`zenith ledger verify`: check the chains of forecast ledgers, stored or exported."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from zenith_cli.options import current_names
from zenith_core.errors import CorruptData, NotAvailable, UserError
from zenith_core.evaluation.ledger_chain import ENTRY_COLUMNS, ChainSummary, verify
from zenith_core.market.tickers import validate_ticker
from zenith_core.names import ALL_TICKERS, UNIVERSE_LEDGER
from zenith_core.portfolio.universe_record import verify_ledger
from zenith_core.words import counted
from zenith_pipelines.datasets.atomic_files import parquet_table
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.portfolio.universe_ledger import read_universe_entries
from zenith_pipelines.production.ledger import LEDGER, read_entries
from zenith_pipelines.settings import Settings


def verify_ledgers(subject: str | None, *, as_json: bool) -> int:
    """Print a line for each ledger and return the exit status: 1 if one is broken or has no chain yet.

    Raises NotAvailable, or UserError for a file that is no export of a ledger.
    """
    if subject is not None and Path(subject).is_file():
        results = {subject: _checked(read_export(Path(subject)))}
    else:
        store = DatasetStore(Settings().data_uri)
        tickers = _ledgers(store) if subject is None else [validate_ticker(current_names(subject))]
        if not tickers:
            raise NotAvailable("there are no ledgers yet: `zenith run` makes the first forecasts")
        results = {ticker: _checked_ticker(store, ticker) for ticker in tickers}
    if as_json:
        print(json.dumps({name: _document(result) for name, result in results.items()}, indent=2))
    for name, result in results.items():
        if isinstance(result, str):
            print(f"zenith: {result if result.startswith(f'{name}: ') else f'{name}: {result}'}", file=sys.stderr)
        elif not as_json:
            print(_line(result))
    return int(any(isinstance(result, str) for result in results.values()))


def read_export(path: Path) -> pd.DataFrame:
    """Read the entries that `zenith export TICKER ledger` wrote, CSV or parquet. Raises UserError."""
    try:
        if path.suffix == ".parquet":
            return parquet_table(path.read_bytes())
        entries = pd.read_csv(path, dtype=str, keep_default_na=False)
        numbers = {name: entries[name].astype(int) for name in ("number", "schema")}
        return entries.assign(**numbers)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or 'no parquet file'})") from None
    except (ValueError, KeyError):
        columns = ", ".join(ENTRY_COLUMNS)
        raise UserError(f"{path} is no exported ledger, whose columns are {columns}") from None


def _ledgers(store: DatasetStore) -> list[str]:
    """Return the tickers that have a ledger, and the name that stands for all of them if they have one together."""
    together = [ALL_TICKERS] if store.exists(UNIVERSE_LEDGER, ALL_TICKERS) else []
    return [*store.tickers(LEDGER), *together]


def _checked_ticker(store: DatasetStore, ticker: str) -> ChainSummary | str:
    try:
        entries = read_universe_entries(store) if ticker == ALL_TICKERS else read_entries(store, ticker)
    except CorruptData as error:
        return str(error)
    if entries.empty and ticker == ALL_TICKERS:
        raise NotAvailable("there is no ledger of all tickers yet: `zenith job forecast_universe` makes it")
    if entries.empty:
        return f"made by an earlier release, it has no chain yet: `zenith job refresh_prices --tickers {ticker}`"
    return _checked(entries)


def _checked(entries: pd.DataFrame) -> ChainSummary | str:
    try:
        return verify_ledger(entries) if set(entries.get("ticker", ())) == {ALL_TICKERS} else verify(entries)
    except CorruptData as error:
        return str(error)


def _line(summary: ChainSummary) -> str:
    entries = "1 entry" if summary.entries == 1 else f"{summary.entries:,} entries"
    return (
        f"{summary.ticker}: intact, {entries} from {summary.first[:10]} to {summary.last[:10]}, "
        f"{counted(summary.forecasts, 'forecast')}, {counted(summary.outcomes, 'outcome')}, last hash {summary.head}"
    )


def _document(result: ChainSummary | str) -> dict[str, object]:
    if isinstance(result, str):
        return {"intact": False, "problem": result}
    return {"intact": True, **asdict(result)}
