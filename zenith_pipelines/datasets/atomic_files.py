"""Write a file whole or not at all; convert tables to parquet bytes and back in the calling thread."""

import io
import os
import time
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    import pandas as pd

LEFT_BEHIND_SECONDS = 3600.0  # longer than any write: an older temporary file belongs to a killed process
_LEVEL = 9  # of zstd: as fast as 3 here, and 15 takes ten times as long for 1 % less


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary file beside `path`, flush it to disk, then rename. A failure leaves the old file intact.

    A killed process leaves its temporary file behind; a write of `path` at least an hour later removes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    # Not tempfile: other users, such as a separate serving process, cannot read its files.
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def parquet_bytes(table: "pd.DataFrame") -> bytes:
    """Return the table as a parquet file of few bytes.

    The bytes of floats are stored one place after the other: signs and exponents repeat, and are compressed.
    """
    floats = [str(name) for name, kind in table.dtypes.items() if kind in ("float32", "float64")]
    others = [str(name) for name in (table.index.name, *table.columns) if name and str(name) not in floats]
    buffer = io.BytesIO()
    table.to_parquet(
        buffer,
        compression="zstd",
        compression_level=_LEVEL,
        use_byte_stream_split=floats,
        use_dictionary=others,
    )
    return buffer.getvalue()


def parquet_table(content: bytes) -> "pd.DataFrame":
    """Inverse of `parquet_bytes`. Raises OSError or ValueError if `content` is not a parquet file.

    Not `pandas.read_parquet`: it hands Arrow a Python file that Arrow's thread pool releases. A process that exits
    before that is aborted ("terminate called without an active exception"): 6 of 180 short commands.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.py_buffer(content)) as file:
        table: pd.DataFrame = file.read(use_threads=False).to_pandas(use_threads=False)
        return table


def _remove_abandoned(path: Path) -> None:
    """Remove old temporary files of killed writes of `path`."""
    for temporary in path.parent.glob(f".{escape(path.name)}.{'[0-9a-f]' * 32}"):
        with suppress(FileNotFoundError):  # another process removed it first
            if time.time() - temporary.stat().st_mtime > LEFT_BEHIND_SECONDS:
                temporary.unlink()


def _flush_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power loss. Windows needs no flush and cannot open folders."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
