"""Read one price file: its form, its tickers and the rows of each."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zenith_core.arrays import Floats
from zenith_core.errors import InvalidPrices, InvalidTicker, NoNewData, UserError
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.datasets.atomic_files import parquet_table
from zenith_pipelines.ingestion.sources.base import REQUIRED, raw_table
from zenith_pipelines.ingestion.sources.files.content import (
    TEXT_SUFFIXES,
    decode,
    find_line,
    kind_of,
    lines_of,
    not_encoded,
    possible_encodings,
    read_blocks,
    read_bytes,
    read_head,
    read_text,
    read_workbook,
    split_line,
    unreadable,
)
from zenith_pipelines.ingestion.sources.files.dates import UnclearOrder, parse_dates
from zenith_pipelines.ingestion.sources.files.forms import DAY_FIRST, MONTH_FIRST, TICKER, UNUSED, missing_columns
from zenith_pipelines.ingestion.sources.files.header import Header, require_one_ticker, row_header, text_header
from zenith_pipelines.ingestion.sources.files.hints import FILE_NAME, Hint, hint_for
from zenith_pipelines.ingestion.sources.files.long_file import (
    Columns,
    LongRows,
    codes_of,
    has_dates,
    is_long,
    parquet_blocks,
    rows_of,
    text_blocks,
)
from zenith_pipelines.ingestion.sources.files.numbers import (
    MISSING,
    MarkEvidence,
    NotANumber,
    NumberTexts,
    UnclearMark,
    decide_mark,
    number_texts,
    parse_numbers,
)

_PROSE_SUFFIXES = (".txt", ".tsv")  # notes have them too
_FEWEST_COLUMNS = 5
_FEWEST_ROWS = 5  # below, the spacing of rows shows nothing
_LONGEST_GAP = 4  # days, the median; a session is 1 to 4 days after the one before
_ROWS_PER_DAY = 1.9  # a few duplicates are quarantined


def price_paths(folder: Path) -> list[Path]:
    """Return the files of the kinds of price files, by name. Raises UserError if there is no folder."""
    try:
        return sorted(path for path in folder.iterdir() if kind_of(path) and not path.is_dir())
    except OSError as error:
        reason = error.strerror or "cannot be listed"
        raise UserError(f"{folder}: {reason}; expected a folder of TICKER.csv files") from None


def tickers_of(path: Path) -> tuple[str, ...]:
    """Return the tickers of a file, none of a text that holds no table; an unchanged file is read once."""
    return _tickers_of(path, *_state_of(path))


def open_price_file(path: Path) -> "PriceFile":
    """Return a file. The last one with several tickers stays open, because they are read one after another."""
    return _open(path, *_state_of(path)) if len(tickers_of(path)) > 1 else PriceFile(path)


def _state_of(path: Path) -> tuple[int, int, int]:
    state, hint = path.stat(), path.parent / FILE_NAME
    return state.st_mtime_ns, state.st_size, hint.stat().st_mtime_ns if hint.exists() else 0


@lru_cache(maxsize=1)
def _open(path: Path, *_state: int) -> "PriceFile":
    return PriceFile(path)


@lru_cache(maxsize=1 << 16)
def _tickers_of(path: Path, *_state: int) -> tuple[str, ...]:
    file = PriceFile(path)
    return tuple(file.tickers) if file.is_table else ()


class PriceFile:
    """A price file of any kind, opened as far as it is needed.

    Raises InvalidPrices, naming file, column and line, and NoNewData for a file without rows.
    """

    def __init__(self, path: Path) -> None:
        kind = kind_of(path)
        if kind is None:
            raise InvalidPrices(f"{path} is no price file: expected .csv, .txt, .tsv, .parquet or .xlsx")
        self.path, self._kind = path, kind

    @cached_property
    def header(self) -> Header:
        """The header, from the first bytes of a text file. Of a file in an unknown form it may be incomplete."""
        if self._kind.suffix in TEXT_SUFFIXES:
            head = read_head(self.path, self._kind)
            return text_header(self.path, decode(self.path, head, self._hint.encoding, whole=False), self._hint)
        if self._kind.suffix == ".xlsx":
            return row_header(self.path, self._rows, self._hint)
        first_rows = next(self._parquet_blocks(), pd.DataFrame()) if self._long else self._parquet
        return row_header(self.path, [[str(name) for name in first_rows.columns]], self._hint)

    @property
    def is_table(self) -> bool:
        """Return False for notes: a text without a header of several columns. Other kinds are always tables."""
        if self._kind.suffix not in _PROSE_SUFFIXES:
            return True
        try:
            return len(self.header.names) >= _FEWEST_COLUMNS
        except (InvalidPrices, NoNewData):
            return False

    @cached_property
    def tickers(self) -> list[str]:
        """The tickers of the file, sorted; none if neither its name nor a column is one.

        Raises InvalidPrices if rows of a file of many tickers have no valid ticker, because they would be lost.
        """
        own = _ticker(self._kind.stem)
        codes = self._codes
        if len(codes) == 1 and self.header.form.suffixes is not None and own and _is_listed(own):
            # PETR4.csv of B3's PETR4 is PETR4.SA; another name is the owner's own.
            return codes if codes[0].startswith(f"{own}.") else [own]
        # One name that is no ticker ("Apple Inc.") is a comment in a file of one ticker.
        if codes in ([], [own]) or (len(codes) == 1 and not _ticker(codes[0])):
            return [own] if own else []
        return self._valid(codes)

    def prices(self, ticker: str, timezone: str) -> pd.DataFrame:
        """Return the rows of one of `tickers` in the shape of `RawPrices.prices`; rows without a date keep NaT.

        timezone: of the exchange; its local date is used for times with a zone
        """
        if missing := missing_columns(self.header.meanings, self.header.form):
            self._refuse_header(missing)
        columns = self._columns_of(ticker)
        dates = pd.DatetimeIndex(self._days(columns["date"], timezone), name="date")
        self._require_daily_rows(dates)
        numbers = self._numbers(columns)
        if "volume" not in numbers:
            numbers["volume"] = np.zeros(len(dates))
        return raw_table(pd.DataFrame(numbers, index=dates))

    def _refuse_header(self, missing: Sequence[str]) -> None:
        names = ", ".join(self.header.names)
        expected = f"expected date, {', '.join(REQUIRED)} and optionally adj_close, dividends, splits, or their names"
        if len(self.header.names) < 2:
            raise unreadable(self.path, f"it has no header of columns; {expected} in {FILE_NAME} beside the file")
        listing = names if len(names) <= 200 else f"{names[:200]}…"
        raise InvalidPrices(
            f"{self.path} has no column {', '.join(missing)}; it has {listing}; {expected} in {FILE_NAME}"
        )

    def forget_rows(self) -> None:
        """Free the memory of the rows. They are read again when they are needed."""
        for name in ("_text", "_rows", "_parquet", "_columns"):
            self.__dict__.pop(name, None)
        if self._long:
            self._long.forget()

    @cached_property
    def _hint(self) -> Hint:
        return hint_for(self.path)

    @cached_property
    def _long(self) -> LongRows | None:
        """The rows of a file that is too large for memory; None for another."""
        return LongRows(self.path, self._blocks) if is_long(self.path, self._kind) else None

    @cached_property
    def _text(self) -> str:
        return decode(self.path, read_bytes(self.path, self._kind), self._hint.encoding)

    @cached_property
    def _encoding(self) -> str:
        """The encoding of a long text file."""
        own = self._hint.encoding
        for encoding in [own] if own else possible_encodings(read_head(self.path, self._kind)):
            try:
                deque(text_blocks(self.path, self._kind, encoding), maxlen=0)
            except UnicodeDecodeError:
                continue
            return encoding
        raise not_encoded(self.path, own)

    def _texts(self) -> Iterator[str]:
        """Yield the text in blocks of whole lines."""
        return text_blocks(self.path, self._kind, self._encoding) if self._long else iter([self._text])

    def _blocks(self) -> Iterator[Columns]:
        """Yield the columns of a long file by meaning, a block at a time."""
        header, positions = self.header, self._positions
        if self._kind.suffix == ".parquet":
            for block in self._parquet_blocks():
                yield {word: block.iloc[:, at] for word, at in positions.items()}
        else:
            for cells in read_blocks(self.path, self._texts, header.names, header.separator, header.lines):
                yield {word: cells[at] for word, at in positions.items()}

    def _parquet_blocks(self) -> Iterator[pd.DataFrame]:
        try:
            yield from map(self._flat, parquet_blocks(self.path))
        except (OSError, ValueError) as error:
            raise unreadable(self.path, str(error)) from None

    @cached_property
    def _rows(self) -> list[list[str]]:
        rows = [row for row in read_workbook(self.path, read_bytes(self.path, self._kind)) if any(row)]
        if not rows:
            raise NoNewData(f"{self.path} has no rows")
        return rows

    @cached_property
    def _parquet(self) -> pd.DataFrame:
        try:
            table = parquet_table(read_bytes(self.path, self._kind))
        except (OSError, ValueError) as error:
            raise unreadable(self.path, str(error)) from None
        return self._flat(table)

    def _flat(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a Parquet table with one row of headers and without an index."""
        if table.columns.nlevels > 1:  # as `yf.download` returns it: (Close, AAPL), …
            require_one_ticker(self.path, [str(name) for name in table.columns.get_level_values(1)])
            table.columns = table.columns.get_level_values(0)
        return table if isinstance(table.index, pd.RangeIndex) else table.reset_index()

    @cached_property
    def _positions(self) -> dict[str, int]:
        """The position of each meaning."""
        return {word: at for at, word in enumerate(self.header.meanings) if word != UNUSED}

    @cached_property
    def _columns(self) -> Columns:
        """The columns of a file that is read whole."""
        positions = self._positions
        if self._kind.suffix == ".parquet":
            if self._parquet.empty:
                raise NoNewData(f"{self.path} has no rows")
            return {word: self._parquet.iloc[:, at] for word, at in positions.items()}
        if self._kind.suffix == ".xlsx":
            rows = self._rows[self.header.lines :]
            if not rows:
                raise NoNewData(f"{self.path} has no rows")
            return {word: pa.chunked_array([pa.array([row[at] for row in rows])]) for word, at in positions.items()}
        header = self.header
        cells = read_text(self.path, self._text, header.names, header.separator, header.lines)
        return {word: cells[at] for word, at in positions.items()}

    @cached_property
    def _codes(self) -> list[str]:
        """The tickers of the ticker column, sorted; "" for rows without one. None without a header to read."""
        try:
            has_tickers = self.header.has_tickers
        except (InvalidPrices, NoNewData):  # reading the rows reports it
            return []
        if not has_tickers:
            return []
        return sorted({self.header.form.ticker(code) for code in self._row_codes})

    @cached_property
    def _row_codes(self) -> list[str]:
        """The codes of the ticker column, as they are; "" if rows with a date have none."""
        if self._long:
            return list(self._long.counts)
        codes = codes_of(self._columns)
        names = set(pc.unique(codes).to_pylist())
        if "" in names and not has_dates(self._columns, pc.equal(codes, "")):
            names.remove("")  # blank rows, notes and rows that were cut off
        return sorted(names)

    def _columns_of(self, ticker: str) -> Columns:
        """The columns with the rows of a ticker."""
        if len(self._codes) < 2:
            return self._long.all_rows() if self._long else self._columns
        codes = [code for code in self._row_codes if self.header.form.ticker(code) == ticker]
        return self._long.rows(codes) if self._long else rows_of(self._columns, codes)

    def _parts(self) -> Iterator[Columns]:
        """Yield the columns of all rows, in parts of any size."""
        return self._blocks() if self._long else iter([self._columns])

    def _valid(self, codes: Sequence[str]) -> list[str]:
        if wrong := [code for code in codes if not _ticker(code)]:
            problem = f"{wrong[0][:40]!r} is not a ticker" if wrong[0] else "some rows have no ticker"
            raise InvalidPrices(
                f"{self.path}, column ticker: {problem}; expected a ticker such as PETR4.SA in each row"
            )
        return list(codes)

    def _numbers(self, columns: Columns) -> dict[str, Floats]:
        values, texts = _number_columns(columns)
        currencies = {sign for text in texts.values() for sign in text.currencies}
        if len(currencies) > 1:
            raise InvalidPrices(f"{self.path} has prices in {' and '.join(sorted(currencies))}; expected one currency")
        mark = self._mark(texts)
        try:
            numbers = values | {word: parse_numbers(word, text, mark) for word, text in texts.items()}
        except NotANumber as error:
            raise InvalidPrices(
                f"{self.path}{self._line_of(error.text)}, column {error.column}: {error.text[:40]!r} is not a number; "
                f"expected numbers such as 1234.5, as in the other rows"
            ) from None
        units = self.header.form.units
        return {word: column * units.get(word, 1.0) for word, column in numbers.items()}

    def _mark(self, texts: Mapping[str, NumberTexts]) -> str:
        """Return the decimal mark by the rows of a ticker, or by all rows where these leave it open."""
        form = self.header.form
        if form.strict and form.decimal:
            return form.decimal
        try:
            try:
                return decide_mark(texts, form.decimal)
            except UnclearMark:
                return MarkEvidence.of_parts(_number_columns(part)[1] for part in self._parts()).decide(form.decimal)
        except UnclearMark as error:
            raise InvalidPrices(
                f'{self.path}: {error}; state the decimal mark in {FILE_NAME} beside the file: decimal = "." or ","'
            ) from None

    def _days(self, column: pa.ChunkedArray | pd.Series, timezone: str) -> "pd.Series[pd.Timestamp]":
        text = _date_texts(column)
        form = self.header.form
        try:
            try:
                dates = parse_dates(text, timezone, form.dates, strict=form.strict)
            except UnclearOrder:
                all_dates = pd.concat([_date_texts(part["date"]).drop_duplicates() for part in self._parts()])
                order = parse_dates(all_dates.drop_duplicates(ignore_index=True), timezone, form.dates).order
                dates = parse_dates(text, timezone, order, strict=True)
        except UnclearOrder as error:
            raise InvalidPrices(
                f"{self.path}: {error}; state the order in {FILE_NAME} beside the file: "
                f'dates = "{DAY_FIRST}" or "{MONTH_FIRST}"'
            ) from None
        if dates.wrong.any():
            example = text[dates.wrong].iloc[0]
            raise InvalidPrices(
                f"{self.path}{self._line_of(example)}: {example[:40]!r} is not a date; "
                f"expected a date such as 2024-01-31" + (f", {dates.order} as in the other rows" if dates.order else "")
            )
        return dates.days

    def _line_of(self, text: str) -> str:
        """Return `, line 12`: the first line of a text file that holds the text in a cell."""
        if self._kind.suffix not in TEXT_SUFFIXES:
            return ""
        line = find_line(
            lines_of(self._texts()),
            lambda row: text in row and text in map(str.strip, split_line(row, self.header.separator)),
        )
        return f", line {line}" if line else ""

    def _require_daily_rows(self, dates: pd.DatetimeIndex) -> None:
        """Raise InvalidPrices for bars of a week, a month or an hour, which could pass as days of a thin stock."""
        days = dates.dropna()
        sessions = days.unique().sort_values()
        if len(sessions) < _FEWEST_ROWS:
            return
        gap = int(pd.Series(sessions).diff().dt.days.median())
        if gap > _LONGEST_GAP:
            raise InvalidPrices(
                f"{self.path}: the rows are {gap} days apart; expected one for each session of the exchange"
            )
        if (share := len(days) / len(sessions)) >= _ROWS_PER_DAY:
            raise InvalidPrices(
                f"{self.path} has {share:.0f} rows a day; expected one for each session of the exchange"
            )


def _number_columns(
    columns: Columns,
) -> tuple[dict[str, Floats], dict[str, NumberTexts]]:
    """Split the columns of numbers into those that are numbers already, and texts."""
    values, texts = {}, {}
    for word, column in columns.items():
        if word in ("date", TICKER):
            continue
        if isinstance(column, pa.ChunkedArray):
            texts[word] = number_texts(column)
        elif pd.api.types.is_numeric_dtype(column):
            values[word] = column.to_numpy("float64", na_value=np.nan)
        else:
            column_texts = pa.array(column.astype("object").map(_text_of), pa.string())
            texts[word] = number_texts(pa.chunked_array([column_texts]))
    return values, texts


def _date_texts(column: pa.ChunkedArray | pd.Series) -> "pd.Series[str]":
    if isinstance(column, pa.ChunkedArray):
        text = pc.utf8_trim_whitespace(column)
        missing = pc.is_in(text, pa.array(MISSING))
        return pd.Series(pc.if_else(missing, "", text).to_pandas(), dtype="str")
    return column.reset_index(drop=True).map(_date_text, na_action="ignore").fillna("").astype("str")


def _date_text(value: object) -> str:
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return f"{value:.0f}" if isinstance(value, int | float) else str(value).strip()


def _text_of(value: object) -> str | None:
    return None if pd.isna(value) else str(value)  # type: ignore[call-overload]


def _ticker(text: str) -> str | None:
    try:
        return validate_ticker(text)
    except InvalidTicker:
        return None


def _is_listed(ticker: str) -> bool:
    try:
        exchange_of(ticker)
    except InvalidTicker:
        return False
    return True
