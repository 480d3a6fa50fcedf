"""Read one price file, CSV or parquet, with columns in any order and case."""

import csv
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from zenith_core.errors import InvalidPrices, NoNewData
from zenith_pipelines.datasets.atomic_files import parquet_table
from zenith_pipelines.ingestion.sources.base import REQUIRED, raw_table

# Usual names of each column, without case, blanks and punctuation.
_ALIASES = {
    "date": ("date", "datetime", "timestamp"),
    **{name: (name,) for name in REQUIRED},
    "adj_close": ("adjclose", "adjustedclose"),
    "dividends": ("dividends", "dividend"),
    "splits": ("stocksplits", "stocksplit", "splits", "split"),
}
_MISSING = ("", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None")
_FEWEST_ROWS = 5  # below, the spacing of rows shows nothing
_LONGEST_GAP = 4  # days, the median; a session is 1 to 4 days after the one before
_ROWS_PER_DAY = 1.9  # a few duplicates are quarantined
_TICKER_COLUMNS = ("ticker", "tickers", "symbol")
_NAME_OF = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}


def read_table(path: Path, timezone: str, ticker: str | None = None) -> pd.DataFrame:
    """Read one ticker's file into the shape of `RawPrices.prices`; rows without a date keep NaT.

    timezone: of the exchange; its local date is used for times with a zone
    ticker:   the rows to take from a long-format file, which has a ticker column
    Raises InvalidPrices, naming file, column and line, and NoNewData for a file without rows.
    """
    table = _read(path)
    if ticker is not None:
        table = table[_row_tickers(table) == ticker]
    columns = table.rename(columns=_column_names(path, table))
    dates = _dates(path, columns.pop("date"), timezone)
    _require_daily_rows(path, dates)
    numbers = {name: _numbers(path, name, columns[name]) for name in _ALIASES if name in columns}
    return raw_table(pd.DataFrame(numbers).set_index(dates))


def tickers_inside(path: Path) -> list[str]:
    """List the values of a file's ticker column, in upper case, sorted; "" for rows without one.

    The list is empty without a ticker column or without closes, as in a list of companies; then only the header is
    read. Raises InvalidPrices and NoNewData as `read_table` does.
    """
    columns = [_normalized(column) for column in _columns(path)]
    if "close" not in columns or not set(_TICKER_COLUMNS).intersection(columns):
        return []
    return sorted(_row_tickers(_read(path)).unique())


def _row_tickers(table: pd.DataFrame) -> "pd.Series[str]":
    """Return the ticker of each row, from the ticker column."""
    column = table[next(column for column in table.columns if _normalized(column) in _TICKER_COLUMNS)]
    return column.astype("object").fillna("").astype(str).str.strip().str.upper()


def _normalized(column: object) -> str:
    return re.sub(r"[\W_]+", "", str(column).lower())


def _columns(path: Path) -> list[str]:
    """Read a file's column names without its rows; none if it is unreadable, which reading the rows reports."""
    try:
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            return list(pq.read_schema(path).names)
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
        return next(csv.reader([header], delimiter=_separator(header)), [])
    except (OSError, ValueError, csv.Error):
        return []


def _separator(header: str) -> str:
    return max(",;\t", key=header.count)


def _read(path: Path) -> pd.DataFrame:
    try:
        table = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    except (OSError, ValueError, pd.errors.ParserWarning) as error:
        reason = " ".join(str(error).split())[:200]
        raise InvalidPrices(f"{path} cannot be read as {path.suffix[1:].lower()}: {reason}") from error
    if table.empty:
        raise NoNewData(f"{path} has no rows")
    return table


def _read_parquet(path: Path) -> pd.DataFrame:
    table = parquet_table(path.read_bytes())
    if table.columns.nlevels > 1:  # as `yf.download` returns it: (Close, AAPL), …
        _require_one_ticker(path, table.columns.get_level_values(1))
        table.columns = table.columns.get_level_values(0)
    return table if isinstance(table.index, pd.RangeIndex) else table.reset_index()


def _require_one_ticker(path: Path, tickers: Iterable[object]) -> None:
    """Raise InvalidPrices for a block of columns per ticker: choosing one would be a guess."""
    names = sorted({str(name) for name in tickers if str(name)})
    if len(names) > 1:
        raise InvalidPrices(
            f"{path} has columns of several tickers, {', '.join(names[:5])}; "
            "expected one file per ticker, or one row per date and ticker with a column ticker"
        )


def _read_csv(path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8-sig", newline="") as file:
        first, second = file.readline(), file.readline()
    separator = _separator(first)
    names = next(csv.reader([first], delimiter=separator), [])
    tickers = [name for name in names if _normalized(name) in _TICKER_COLUMNS]
    # `yf.download(...).to_csv()` writes three header lines: Price,Close,… / Ticker,AAPL,… / Date,,…
    yahoo = first.startswith("Price") and second.startswith("Ticker")
    if yahoo:
        _require_one_ticker(path, second.strip().split(separator)[1:])
    else:
        _require_one_meaning(path, names)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # else a row longer than the header is cut silently
        table = pd.read_csv(
            path,
            sep=separator,
            encoding="utf-8-sig",
            index_col=False,
            skiprows=[1, 2] if yahoo else None,
            low_memory=False,
            dtype=dict.fromkeys(tickers, "str"),  # a ticker may read 0005 or NA
            keep_default_na=False,
            na_values={name: _MISSING for name in names if name not in tickers},
        )
    return table.rename(columns={"Price": "Date"}) if yahoo else table


def _require_one_meaning(path: Path, names: Iterable[str]) -> None:
    """Raise InvalidPrices for a header with a column twice: pandas would rename the second."""
    meanings = [name for column in names if (name := _NAME_OF.get(_normalized(column)))]
    if twice := next((name for name in meanings if meanings.count(name) > 1), None):
        raise InvalidPrices(f"{path} has two columns for {twice}: {', '.join(names)}")


def _column_names(path: Path, table: pd.DataFrame) -> dict[Any, str]:
    """Map a file's columns to ours. Raises InvalidPrices if one is missing or occurs twice."""
    names: dict[Any, str] = {}
    for column in table.columns:
        name = _NAME_OF.get(_normalized(column))
        if name in names.values():
            raise InvalidPrices(f"{path} has two columns for {name}: {', '.join(map(str, table.columns))}")
        if name:
            names[column] = name
    if "date" not in names.values() and str(table.columns[0]).startswith(("Unnamed: 0", "index")):
        names[table.columns[0]] = "date"  # an index saved without its name
    missing = [name for name in ("date", *REQUIRED) if name not in names.values()]
    if missing:
        raise InvalidPrices(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(map(str, table.columns))}; "
            f"expected date, {', '.join(REQUIRED)} and optionally adj_close, dividends, splits"
        )
    return names


def _numbers(path: Path, name: str, column: "pd.Series[Any]") -> "pd.Series[float]":
    if column.dtype == "float64":
        return column
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = numbers.isna() & column.notna()
    if wrong.any():
        text = str(column[wrong].iloc[0])
        raise InvalidPrices(
            f"{path}{_line(path, text)}, column {name}: {text[:40]!r} is not a number; "
            "expected digits and a decimal point, without thousands separators"
        )
    return numbers.astype("float64")


def _dates(path: Path, column: "pd.Series[Any]", timezone: str) -> pd.DatetimeIndex:
    """Parse naive dates. A midnight keeps its date in any zone; other times become the exchange's local date."""
    if (iso_dates := _iso_dates(column)) is not None:
        return iso_dates
    if pd.api.types.is_numeric_dtype(column):
        column = column.map(lambda number: f"{number:.0f}", na_action="ignore")
    elif pd.api.types.is_datetime64_any_dtype(column):
        column = column.map(lambda moment: moment.isoformat(), na_action="ignore")
    text = column.astype("str").str.strip().where(column.notna())
    midnight = r"(?:[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
    digits = text.str.extract(rf"^(\d{{4}}([-/.])\d{{2}}\2\d{{2}}|\d{{8}}){midnight}$")[0]
    digits = digits.str.replace(r"[-/.]", "", regex=True)
    dates = pd.to_datetime(digits, format="%Y%m%d", errors="coerce").astype("datetime64[ns]")
    other = dates.isna() & text.notna() & (text != "")
    if other.any():
        dates = dates.where(~other, _local_dates(text[other], timezone).reindex(dates.index))
    wrong = dates.isna() & text.notna() & (text != "")
    if wrong.any():
        example = text[wrong].iloc[0]
        raise InvalidPrices(
            f"{path}{_line(path, example)}: {example[:40]!r} is not a date; expected a date such as 2024-01-31"
        )
    return pd.DatetimeIndex(dates, name="date")


def _iso_dates(column: "pd.Series[Any]") -> pd.DatetimeIndex | None:
    """Parse dates that are all written 2024-01-31, the usual and fastest case; return None otherwise."""
    if pd.api.types.is_string_dtype(column) and column.str.len().eq(10).all():
        dates = pd.to_datetime(column, format="%Y-%m-%d", errors="coerce")
        if dates.notna().all():
            return pd.DatetimeIndex(dates, name="date").as_unit("ns")
    return None


def _require_daily_rows(path: Path, dates: pd.DatetimeIndex) -> None:
    """Raise InvalidPrices for bars of a week, a month or an hour, which could pass as days of a thin stock."""
    days = dates.dropna()
    sessions = days.unique().sort_values()
    if len(sessions) < _FEWEST_ROWS:
        return
    gap = int(pd.Series(sessions).diff().dt.days.median())
    if gap > _LONGEST_GAP:
        raise InvalidPrices(f"{path}: the rows are {gap} days apart; expected one for each session of the exchange")
    if (share := len(days) / len(sessions)) >= _ROWS_PER_DAY:
        raise InvalidPrices(f"{path} has {share:.0f} rows a day; expected one for each session of the exchange")


def _local_dates(text: "pd.Series[str]", timezone: str) -> "pd.Series[pd.Timestamp]":
    """Return the local dates of times of day; a time without a zone is local. NaT for other text."""
    iso = text.where(text.str.contains(r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}"))
    moments = pd.to_datetime(iso, format="ISO8601", errors="coerce", utc=True)
    local = moments.dt.tz_convert(timezone).dt.tz_localize(None)
    has_zone = text.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$")
    return local.where(has_zone, moments.dt.tz_localize(None)).dt.normalize().astype("datetime64[ns]")


def _line(path: Path, text: str) -> str:
    """Return `, line 12`: the first line of a CSV file with the text; nothing for parquet."""
    if path.suffix.lower() == ".parquet":
        return ""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter=_separator(file.readline()))
        number = next((rows.line_num + 1 for row in rows if text in map(str.strip, row)), None)
    return f", line {number}" if number else ""
