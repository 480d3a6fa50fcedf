"""Tables to parquet and back, in the calling thread alone."""

import io

import pandas as pd


def parquet_bytes(table: pd.DataFrame, *, index: bool | None = None) -> bytes:
    """The table as a parquet file. `index`: as of `DataFrame.to_parquet`."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=index)
    return buffer.getvalue()


def parquet_table(content: bytes) -> pd.DataFrame:
    """Inverse of `parquet_bytes`. Raises OSError and ValueError for what is no parquet file.

    Not `pandas.read_parquet`: it hands Arrow a Python file and lets its thread pool drop it. A process that ends
    before that is done is aborted ("terminate called without an active exception"): 6 of 180 short commands.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.py_buffer(content)) as file:
        table: pd.DataFrame = file.read(use_threads=False).to_pandas(use_threads=False)
        return table
