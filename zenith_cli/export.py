"""`zenith export`: a ticker's data out, for anyone who wants to use it or to check us."""

import io
import sys
from pathlib import Path

import pandas as pd

from zenith_cli.commands import Format, Model, Table
from zenith_core.errors import UserError
from zenith_core.tickers import validate_ticker
from zenith_pipelines.files import write_atomically
from zenith_pipelines.settings import Settings
from zenith_pipelines.store import DatasetStore

FORECASTS = ["origin", "horizon", "target_date", "forecast", "lower", "upper", "actual"]
SIGNALS = ["date", "sell", "hold", "buy", "signal", "label"]


def export_table(ticker: str, table: Table, output: Path | None, format: Format | None, model: Model) -> None:
    """Write a table of the ticker. Raises NotAvailable, InvalidTicker or UserError."""
    name = validate_ticker(ticker)
    chosen = format or (Format.PARQUET if output and output.suffix == ".parquet" else Format.CSV)
    frame = read_table(DatasetStore(Settings().data_uri), name, table, model)
    _write(_encode(frame, chosen), output, binary=chosen is Format.PARQUET)
    if output:
        print(f"{len(frame)} rows of {name} {table.value} in {output}", file=sys.stderr)


def read_table(store: DatasetStore, ticker: str, table: Table, model: Model) -> pd.DataFrame:
    """The table as it is exported: dates as columns, in the documented order. Raises NotAvailable."""
    match table:
        case Table.PRICES:
            return store.read("cleaned_prices", ticker).tables["prices"].reset_index()
        case Table.FEATURES:
            return store.read("indicator_features", ticker).table.reset_index()
        case Table.FORECASTS:
            return store.read("lstm_model", ticker).table[FORECASTS]
        case Table.SIGNALS:
            return store.read("ensemble_model", ticker).table[SIGNALS]
        case _:
            return store.read(f"{model.value}_backtest", ticker).tables[table.value]


def _encode(frame: pd.DataFrame, format: Format) -> bytes:
    if format is Format.CSV:
        return frame.to_csv(index=False, date_format="%Y-%m-%d").encode()
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _write(content: bytes, output: Path | None, *, binary: bool) -> None:
    if output is None:
        if binary and sys.stdout.isatty():
            raise UserError("parquet is not for a terminal: name a file with -o FILE")
        sys.stdout.buffer.write(content)
        return
    try:
        write_atomically(output, content)
    except OSError as error:
        raise UserError(f"{output} cannot be written ({error.strerror}): name a file you can write") from None
