"""`zenith export`: write a table of a ticker to a file or stdout."""

import io
import sys
from datetime import date
from pathlib import Path

import pandas as pd

from zenith_cli.options import Format, Model, Table
from zenith_core.csv_text import without_formula
from zenith_core.errors import NotAvailable, UserError
from zenith_core.evaluation.past_bands import BAND_COLUMNS, in_past_bands
from zenith_core.evaluation.risk_record import risk_table
from zenith_core.market.tickers import validate_ticker
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.table import task_of
from zenith_core.model_kinds.tasks import Task
from zenith_core.names import ALL_TICKERS
from zenith_core.words import counted
from zenith_pipelines.datasets.atomic_files import write_atomically
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.ingestion.fetch import clean_snapshot
from zenith_pipelines.ingestion.point_in_time import as_of_state, parse_day, snapshot_as_of
from zenith_pipelines.portfolio.universe_ledger import read_universe_entries
from zenith_pipelines.production.ledger import read_entries
from zenith_pipelines.risk.scale_prior import priors
from zenith_pipelines.settings import Settings

FORECASTS = ["origin", "horizon", "target_date", "forecast", "lower", "upper", "actual", *BAND_COLUMNS, "scale_version"]
SIGNALS = ["date", "sell", "hold", "buy", "likeliest", "signal", "reason", "label"]


def export_table(
    ticker: str, table: Table, output: Path | None, format: Format | None, model: Model, as_of: str | None = None
) -> None:
    """Write a table of the ticker. Raises NotAvailable, InvalidTicker or UserError.

    as_of: use only data known at the end of this day; raw and cleaned prices need no earlier run for that
    """
    name = validate_ticker(ticker)
    settings = Settings()
    if as_of is None:
        frame = read_table(DatasetStore(settings.data_uri), name, table, model)
    else:
        frame = read_table_as_of(settings, parse_day(as_of), name, table, model)
    write_table(frame, output, format)
    if output:
        print(f"wrote {counted(len(frame), 'row')} of {name} {table.value} to {output}", file=sys.stderr)


def read_table(store: DatasetStore, ticker: str, table: Table, model: Model) -> pd.DataFrame:
    """Return the table with dates as columns, in the documented order. Raises NotAvailable."""
    match table:
        case Table.RAW | Table.FEATURES:
            asset = "raw_prices" if table is Table.RAW else "indicator_features"
            return store.read(asset, ticker).table.reset_index()
        case Table.PRICES:
            return store.read("cleaned_prices", ticker).tables["prices"].reset_index()
        case Table.FORECASTS | Table.SIGNALS:
            return _evidence(store, ticker, model, "price" if table is Table.FORECASTS else "signal")
        case Table.RISK:
            return risk_table(priors(), store.read("cleaned_prices", ticker).tables["prices"])
        case Table.LEDGER:
            return read_universe_entries(store) if ticker == ALL_TICKERS else read_entries(store, ticker)
        case _:
            return store.read(f"{model.value}_backtest", ticker).tables[table.value]


def _evidence(store: DatasetStore, ticker: str, model: Model, task: Task) -> pd.DataFrame:
    """Return the walk-forward table of the model if it has the task, else of the kind that answers it."""
    kind = model.value if task_of(model.value) == task else ANSWERS.of(ticker)[task]
    table = store.read(f"{kind}_model", ticker).table
    if task == "signal":
        return table[SIGNALS]
    return in_past_bands(table, store.read("cleaned_prices", ticker).tables["prices"], priors())[FORECASTS]


def read_table_as_of(settings: Settings, day: date, ticker: str, table: Table, model: Model) -> pd.DataFrame:
    """Return the table as known at the end of `day`: prices from the snapshot, the rest from the rebuilt datasets.

    Raises NotAvailable.
    """
    if table in (Table.RAW, Table.PRICES):
        snapshot = snapshot_as_of(DatasetStore(settings.data_uri), ticker, day)
        prices = snapshot.table if table is Table.RAW else clean_snapshot(snapshot, ticker).prices
        return prices.reset_index()
    with as_of_state(settings, day):
        store = DatasetStore(Settings().data_uri)
    try:
        return read_table(store, ticker, table, model)
    except NotAvailable:
        command = f"zenith run --tickers {ticker} --as-of {day}"
        raise NotAvailable(f"no {table.value} for {ticker} as of {day} yet: `{command}` makes them") from None


def write_table(frame: pd.DataFrame, output: Path | None, format: Format | None = None) -> None:
    """Write the table to a file, or to stdout if there is none. The file's name tells the format, if `format` does not.

    Raises UserError if the file cannot be written; it is then as it was before.
    """
    named = {f".{each.value}": each for each in Format}
    file_format = format or named.get(output.suffix.lower() if output else "", Format.CSV)
    _write(_encode(frame, file_format), output, binary=file_format is not Format.CSV)


def _encode(frame: pd.DataFrame, format: Format) -> bytes:
    if format is Format.CSV:
        return _without_formulas(frame).to_csv(index=False, date_format="%Y-%m-%d").encode()
    if format is Format.XLSX:
        return _workbook(frame)
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)  # as other programs expect it
    return buffer.getvalue()


def _workbook(frame: pd.DataFrame) -> bytes:
    """Return an Excel workbook of one sheet. Texts stay texts: none becomes a formula or a link."""
    buffer = io.BytesIO()
    texts = {"strings_to_formulas": False, "strings_to_urls": False}
    with pd.ExcelWriter(
        buffer, engine="xlsxwriter", datetime_format="yyyy-mm-dd", engine_kwargs={"options": texts}
    ) as writer:
        frame.to_excel(writer, index=False, freeze_panes=(1, 0))
    return buffer.getvalue()


def _without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before texts that a spreadsheet would run as a formula. Numbers are untouched."""
    kinds = pd.api.types
    texts = [
        name
        for name in frame
        if not (kinds.is_numeric_dtype(frame[name]) or kinds.is_datetime64_any_dtype(frame[name]))
    ]
    return frame.assign(**{str(name): frame[name].map(without_formula) for name in texts})


def _write(content: bytes, output: Path | None, *, binary: bool) -> None:
    if output is None:
        if binary and sys.stdout.isatty():
            raise UserError("this format cannot be written to a terminal: name a file with -o FILE")
        sys.stdout.buffer.write(content)
        return
    if not output.parent.is_dir():
        raise UserError(f"{output.parent} is not a folder: create it, or name a file in an existing folder")
    try:
        write_atomically(output, content)
    except OSError as error:
        raise UserError(f"{output} cannot be written ({error.strerror}): name a file you can write") from None
