"""A price file that is too large for memory: read in blocks, and the rows of some tickers at a time."""

import codecs
import io
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from zenith_core.errors import InvalidPrices
from zenith_pipelines.ingestion.sources.files.content import Kind, open_unpacked, unreadable
from zenith_pipelines.ingestion.sources.files.forms import TICKER

LONG = 8 << 20  # bytes of text, or of a Parquet file; a smaller one is read whole
_BLOCK = 4 << 20  # bytes
_BLOCK_ROWS = 1 << 16  # of a Parquet file
_GROUP_ROWS = 100_000  # in memory at a time
MAX_ROWS = 200_000  # of a ticker: over 500 years of days

Columns: TypeAlias = Mapping[str, "pa.ChunkedArray | pd.Series"]
"""Columns by meaning: text, or typed in a Parquet file."""


def is_long(path: Path, kind: Kind) -> bool:
    """Return True for a file that is not read whole. A workbook always is: it holds a million rows at most."""
    if kind.suffix == ".xlsx":
        return False
    if kind.suffix == ".parquet" or not kind.packing:
        return path.stat().st_size > LONG
    with open_unpacked(path, kind) as file:
        size = 0
        while size <= LONG and (block := file.read(_BLOCK)):
            size += len(block)
    return size > LONG


def text_blocks(path: Path, kind: Kind, encoding: str) -> Iterator[str]:
    """Yield the text of a file in blocks of whole lines. Raises UnicodeDecodeError."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)
    rest, is_first = "", True
    with open_unpacked(path, kind) as file:
        while block := file.read(_BLOCK):
            text = decoder.decode(block)
            text = rest + (text.removeprefix("\ufeff") if is_first else text)
            is_first = False
            end = text.rfind("\n") + 1
            if end:
                yield text[:end]
            rest = text[end:]
            if len(rest) > _BLOCK:
                raise unreadable(path, f"a line has more than {_BLOCK:,} characters; expected a row")
        rest += decoder.decode(b"", final=True)
    if rest:
        yield rest


def parquet_blocks(path: Path) -> Iterator[pd.DataFrame]:
    """Yield the rows of a Parquet file in blocks. Raises OSError or ValueError."""
    with pq.ParquetFile(path, buffer_size=_BLOCK, pre_buffer=False) as file:
        for batch in file.iter_batches(_BLOCK_ROWS, use_threads=False):
            yield pa.Table.from_batches([batch]).to_pandas(use_threads=False)


def codes_of(columns: Columns) -> pa.ChunkedArray:
    """Return the ticker column in capitals, "" for none."""
    column = columns[TICKER]
    if isinstance(column, pd.Series):
        column = pa.chunked_array([pa.array(column.astype("object").fillna("").astype(str), pa.string())])
    return pc.utf8_upper(pc.utf8_trim_whitespace(column))


def has_dates(columns: Columns, rows: pa.ChunkedArray) -> bool:
    """Return True if some of the rows have a date. rows: True for each of them."""
    dates = columns.get("date")
    if dates is None:
        return True
    if isinstance(dates, pd.Series):
        return bool(dates[rows.to_numpy()].notna().any())
    return bool(pc.any(pc.not_equal(dates.filter(rows), "")).as_py())


def rows_of(columns: Columns, codes: Collection[str]) -> Columns:
    """Return the rows with one of the codes."""
    own = pc.is_in(codes_of(columns), pa.array(list(codes), pa.string()))
    mask = own.to_numpy()
    return {
        word: column[mask] if isinstance(column, pd.Series) else column.filter(own) for word, column in columns.items()
    }


def joined(parts: list[Columns]) -> Columns:
    """Return the rows of all parts."""
    return {
        word: pd.concat([part[word] for part in parts])
        if isinstance(column, pd.Series)
        else pa.chunked_array([chunk for part in parts for chunk in part[word].chunks], column.type)
        for word, column in parts[0].items()
    }


class LongRows:
    """The rows of a long file by ticker. blocks: yields the columns of the file, a block at a time."""

    def __init__(self, path: Path, blocks: Callable[[], Iterator[Columns]]) -> None:
        self._path, self.blocks = path, blocks
        self._group: tuple[frozenset[str], Columns] = frozenset(), {}

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """The rows of each code of the ticker column; of those without one, the rows that have a date."""
        counts: Counter[str] = Counter()
        for columns in self.blocks():
            codes = codes_of(columns)
            for each in pc.value_counts(codes).to_pylist():
                if each["values"] or has_dates(columns, pc.equal(codes, "")):
                    counts[each["values"]] += each["counts"]
        return dict(sorted(counts.items()))

    def all_rows(self) -> Columns:
        """Return the rows of a file of one ticker. Raises InvalidPrices for more than a ticker can have."""
        parts, rows = [], 0
        for columns in self.blocks():
            parts.append(columns)
            rows += len(columns["date"])
            self._require_few(rows)
        return joined(parts)

    def rows(self, codes: Collection[str]) -> Columns:
        """Return the rows with one of the codes; those of the next codes are read with them. Raises as `all_rows`."""
        self._require_few(sum(self.counts[code] for code in codes))
        for_codes, group = self._group
        if not for_codes.issuperset(codes):
            self.forget()
            for_codes = self._codes_from(codes)
            group = joined([rows_of(columns, for_codes) for columns in self.blocks()])
            self._group = for_codes, group
        return rows_of(group, codes)

    def forget(self) -> None:
        """Free the memory of the rows."""
        self._group = frozenset(), {}

    def _codes_from(self, codes: Collection[str]) -> frozenset[str]:
        """Return the codes and the next ones whose rows fit into memory with theirs."""
        rows = sum(self.counts[code] for code in codes)
        group = set(codes)
        for code in [code for code in self.counts if code > max(codes)]:
            rows += self.counts[code]
            if rows > _GROUP_ROWS:
                break
            group.add(code)
        return frozenset(group)

    def _require_few(self, rows: int) -> None:
        if rows > MAX_ROWS:
            raise InvalidPrices(
                f"{self._path} has more than {MAX_ROWS:,} rows of one ticker; "
                "expected one for each session of the exchange"
            )
