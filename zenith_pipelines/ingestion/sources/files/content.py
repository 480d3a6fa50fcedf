"""The cells of a price file: text tables in any encoding, Parquet and Excel, also compressed."""

import codecs
import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import pyarrow as pa

from zenith_core.errors import InvalidPrices, NoNewData

if TYPE_CHECKING:
    import pyarrow.csv as pc

TEXT_SUFFIXES = (".csv", ".txt", ".tsv")
SUFFIXES = (*TEXT_SUFFIXES, ".parquet", ".xlsx")
_PACKED = (".gz", ".zip")
SEPARATORS = ",;\t|"
_HEAD = 1 << 16  # bytes in which a header must be
_NOTES = 1 << 16  # characters at the end of a file, in which its source may add notes

_SIGNATURES = {
    b"PK\x03\x04": "a zip archive or an Excel workbook; expected its name to end with .zip or .xlsx",
    b"\x1f\x8b": "compressed by gzip; expected its name to end with .gz",
    b"PAR1": "a Parquet file; expected its name to end with .parquet",
    b"%PDF": "a PDF; expected the table itself, as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; expected it saved as .xlsx or .csv",
    b"SQLite format 3": "an SQLite database; expected a table, as CSV",
    b"version https://git-lfs": "a pointer of Git LFS; expected the file itself, which `git lfs pull` fetches",
}
_MARKUP = ("<!doctype", "<html", "<?xml", "<head", "<body", "<table")


@dataclass(frozen=True)
class Kind:
    """The kind of a file by its name: `stem` without its endings, one of SUFFIXES, and the packing, "" for none."""

    stem: str
    suffix: str
    packing: str = ""


def kind_of(path: Path) -> Kind | None:
    """Return the kind of a price file; None for a file of another kind. A .zip alone holds text."""
    name, packing = path.name, ""
    for ending in _PACKED:
        if name.lower().endswith(ending):
            name, packing = name[: -len(ending)], ending
    suffix = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), None)
    if suffix is None:
        return Kind(name, ".csv", packing) if packing == ".zip" else None
    return Kind(name[: -len(suffix)], suffix, packing)


@contextmanager
def open_unpacked(path: Path, kind: Kind) -> Iterator[BinaryIO]:
    """Open a file for its bytes, unpacked. Raises InvalidPrices, also from within."""
    try:
        if kind.packing == ".gz":
            with gzip.open(path) as packed_file:
                yield cast("BinaryIO", packed_file)
        elif kind.packing == ".zip":
            with zipfile.ZipFile(path) as archive, archive.open(_member(path, archive)) as member:
                yield cast("BinaryIO", member)
        else:
            with path.open("rb") as file:
                yield file
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise unreadable(path, getattr(error, "strerror", None) or str(error) or "it is damaged") from None


def read_bytes(path: Path, kind: Kind) -> bytes:
    """Return the bytes of a file, unpacked. Raises InvalidPrices."""
    with open_unpacked(path, kind) as file:
        return file.read()


def read_head(path: Path, kind: Kind) -> bytes:
    """Return the first bytes of a text file, unpacked: enough for its header."""
    with open_unpacked(path, kind) as file:
        return file.read(_HEAD)


def _member(path: Path, archive: zipfile.ZipFile) -> str:
    names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    if len(names) != 1 or not names[0].lower().endswith(TEXT_SUFFIXES):
        listing = ", ".join(names[:3]) or "nothing"
        raise unreadable(path, f"it holds {listing}; expected one .csv, .txt or .tsv file")
    return names[0]


def decode(path: Path, content: bytes, encoding: str | None = None, *, whole: bool = True) -> str:
    """Return the text of a file in the given encoding, that of its byte order mark, UTF-8, or else Latin-1.

    whole: False for the head of a file, whose last character may be cut off
    Raises InvalidPrices for content that is no text table, with its likely kind.
    """
    for signature, text in _SIGNATURES.items():
        if content.startswith(signature):
            raise unreadable(path, f"it is {text}")
    for name in [encoding] if encoding else possible_encodings(content):
        try:
            text = codecs.getincrementaldecoder(name)().decode(content, final=whole)
        except UnicodeDecodeError:
            continue
        text = text.removeprefix("\ufeff")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        _require_table(path, text)
        return text
    raise not_encoded(path, encoding)


def not_encoded(path: Path, encoding: str | None) -> InvalidPrices:
    """Return the error for a file that is no text, or not in the encoding that prices.toml names."""
    if encoding:
        return unreadable(path, f"it is not encoded as {encoding}, as prices.toml says")
    return unreadable(path, "it is binary; expected a text table")


def possible_encodings(content: bytes) -> list[str]:
    """Return the encodings that the first bytes of a text allow, the likeliest first."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ["utf-16"]
    head = content[:_HEAD]
    if b"\0" in head:
        even, odd = head[::2].count(0), head[1::2].count(0)
        if max(even, odd) < len(head) // 4:
            return []
        return ["utf-16-le" if odd > even else "utf-16-be"]
    return ["utf-8", "cp1252", "latin-1"]


def _require_table(path: Path, text: str) -> None:
    start = text[:500].lstrip().lower()
    if start.startswith(_MARKUP):
        raise unreadable(path, "it is a web page; expected the table itself, by the site's download link")
    if start.startswith(("{", "[{", "[[")):
        raise unreadable(path, "it is JSON; expected a table, as CSV")
    if re.search(r"[\x00-\x08\x0e-\x1f]", start):
        raise unreadable(path, "it is binary; expected a text table")
    if not start:
        raise unreadable(path, "it is empty; expected a header and rows")


def unreadable(path: Path, reason: str) -> InvalidPrices:
    """Return the error for a file that is no table, in one line."""
    kind = kind_of(path)
    reason = " ".join(reason.split())[:300]
    return InvalidPrices(f"{path} cannot be read as {kind.suffix[1:] if kind else 'a table'}: {reason}")


def first_lines(text: str, count: int) -> list[str]:
    """Return the first lines of a text, without their ends."""
    return [line.rstrip("\n") for line in islice(io.StringIO(text[:_HEAD]), count)]


def split_line(line: str, separator: str) -> list[str]:
    """Split a line of CSV into its cells."""
    return next(csv.reader([line], delimiter=separator), [])


def read_text(
    path: Path, text: str, names: Sequence[str], separator: str, lines_before: int
) -> dict[int, pa.ChunkedArray]:
    """Return the cells as text, by the position of the column. Raises InvalidPrices, and NoNewData without rows.

    A row that was cut off, or a note at the end of the file, becomes a row of empty cells: none of it can be trusted.

    names:        of all columns
    lines_before: the header and the lines before it
    """
    return next(read_blocks(path, lambda: iter([text]), names, separator, lines_before))


def read_blocks(
    path: Path, texts: Callable[[], Iterator[str]], names: Sequence[str], separator: str, lines_before: int
) -> Iterator[dict[int, pa.ChunkedArray]]:
    """Yield the cells of each block of whole lines, as `read_text` returns those of a text.

    texts: yields the blocks, and yields them again for the number of a line
    """
    blocks, has_rows = texts(), False
    block: str | None = _after_lines(next(blocks, ""), lines_before)
    while block is not None:
        following = next(blocks, None)
        if following is not None and len(following) < _NOTES:
            block, following = block + following, next(blocks, None)
        cells, odd_rows = _parse(path, block, len(names), separator)
        if cells and (len(cells[0]) or odd_rows):
            has_rows = True
            _require_odd_rows_at_end(path, texts, block if following is None else "", odd_rows)
            empty = pa.array([""] * len(odd_rows), pa.string())
            yield {at: pa.chunked_array([*column.chunks, empty]) for at, column in cells.items()}
        block = following
    if not has_rows:
        raise NoNewData(f"{path} has no rows")


def _parse(
    path: Path, body: str, width: int, separator: str
) -> "tuple[dict[int, pa.ChunkedArray], list[pc.InvalidRow]]":
    """Return the columns of the rows that have as many cells as the header, and the other rows."""
    import pyarrow.csv as pc

    odd_rows: list[pc.InvalidRow] = []

    def handle(row: pc.InvalidRow) -> str:
        if row.text.strip():
            odd_rows.append(row)
        return "skip"

    columns = [str(at) for at in range(width)]
    try:
        table = pc.read_csv(
            pa.py_buffer(body.encode()),
            read_options=pc.ReadOptions(column_names=columns, use_threads=False),
            parse_options=pc.ParseOptions(delimiter=separator, invalid_row_handler=handle, newlines_in_values=False),
            convert_options=pc.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        if not body.strip():
            return {}, []
        raise unreadable(path, str(error)) from None
    return {int(name): table[name] for name in table.column_names}, odd_rows


def _require_odd_rows_at_end(
    path: Path, texts: Callable[[], Iterator[str]], end: str, rows: Sequence["pc.InvalidRow"]
) -> None:
    """Raise InvalidPrices for a row of another width, but in the end: a source's note, or a row that was cut off."""
    lines = [line.strip() for line in end.rstrip().rsplit("\n", len(rows))[1:]]
    odd = (row for row in rows if row.text.strip() not in lines or row.actual_columns > row.expected_columns)
    if first := next(odd, None):
        number = find_line(lines_of(texts()), lambda line: line.strip() == first.text.strip())
        widths = f"{first.actual_columns} columns, the header has {first.expected_columns}"
        raise unreadable(path, f"{f'line {number}' if number else 'a row'} has {widths}")


def lines_of(blocks: Iterable[str]) -> Iterator[str]:
    """Yield the lines of blocks of whole lines."""
    return (line for block in blocks for line in io.StringIO(block))


def _after_lines(text: str, count: int) -> str:
    position = 0
    for _ in range(count):
        end = text.find("\n", position)
        if end < 0:
            return ""
        position = end + 1
    return text[position:]


def find_line(lines: Iterable[str], condition: Callable[[str], bool]) -> int | None:
    """Return the number of the first line that fulfils the condition, from 1."""
    return next((number for number, line in enumerate(lines, 1) if condition(line)), None)


def read_workbook(path: Path, content: bytes) -> list[list[str]]:
    """Return the cells of an Excel workbook's first sheet as text: dates as 2024-01-31, numbers with a point."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        rows = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    except (CalamineError, IndexError) as error:
        raise unreadable(path, f"it is no Excel workbook ({error})") from None
    return [[_cell_text(cell) for cell in row] for row in rows]


def _cell_text(cell: object) -> str:
    if isinstance(cell, float):
        text = str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
        return f"{text}0" if text[-4:-3] == "." else text  # else 1.234 could be thousands
    return cell.isoformat() if hasattr(cell, "isoformat") else str(cell)
