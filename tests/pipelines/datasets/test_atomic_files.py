import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from zenith_pipelines.datasets.atomic_files import parquet_bytes, parquet_table, write_atomically

TABLE = pd.DataFrame(
    {"close": [1.0, None, 3.0], "flat": [True, False, True], "reason": ["", "no date", "ü"]},
    index=pd.DatetimeIndex(["2024-01-02", None, "2024-01-03"], name="date").as_unit("ns"),
)

# Count the threads that reading starts, except Arrow's memory allocator's, which touches no Python objects.
COUNT_THREADS = """
import sys
from pathlib import Path
import pandas  # starts the threads of numpy's BLAS
from zenith_pipelines.datasets.atomic_files import parquet_table

def threads():
    names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    return len(names) - names.count("jemalloc_bg_thd")

before = threads()
parquet_table(Path(sys.argv[1]).read_bytes())
print(threads() - before)
"""


def test_a_table_is_read_as_pandas_reads_it(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_bytes(parquet_bytes(TABLE))
    expected = pd.read_parquet(path)
    pd.testing.assert_frame_equal(parquet_table(path.read_bytes()), expected)
    pd.testing.assert_frame_equal(expected, TABLE)


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_floats_take_fewer_bytes_and_keep_each_bit(kind):
    prices = 100 + np.random.default_rng(1).standard_normal((2_000, 3)).cumsum(axis=0)
    prices[5, 0], prices[6, 1] = np.nan, -0.0
    table = pd.DataFrame(prices.astype(kind), columns=["open", "high", "close"])
    content = parquet_bytes(table)
    assert parquet_table(content).to_numpy().tobytes() == table.to_numpy().tobytes()
    assert len(content) < 0.85 * len(table.to_parquet())


@pytest.mark.parametrize("content", [b"", b"no parquet", parquet_bytes(TABLE)[:-9]])
def test_invalid_parquet_raises_a_value_error_or_an_os_error(content):
    with pytest.raises((ValueError, OSError)):
        parquet_table(content)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_reading_starts_no_thread_that_could_outlive_the_interpreter(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_bytes(parquet_bytes(TABLE))
    process = subprocess.run([sys.executable, "-c", COUNT_THREADS, path], capture_output=True, text=True, check=False)
    assert (process.stdout.strip(), process.stderr) == ("0", "")


@pytest.mark.parametrize(("age", "remains"), [(7200, False), (60, True)])
def test_the_temporary_file_of_a_killed_write_is_deleted_once_it_is_old(tmp_path, age, remains):
    temporary, other = tmp_path / f".file.{'ab' * 16}", tmp_path / f".other.{'ab' * 16}"
    for path in (temporary, other):
        path.write_bytes(b"half a fi")
        os.utime(path, (time.time() - age,) * 2)

    write_atomically(tmp_path / "file", b"content")

    assert temporary.exists() is remains
    assert other.exists()
    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_file_has_the_permissions_of_the_umask(tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    write_atomically(tmp_path / "deep" / "file", b"content")
    assert (tmp_path / "deep" / "file").read_bytes() == b"content"
    assert (tmp_path / "deep" / "file").stat().st_mode == plain.stat().st_mode
