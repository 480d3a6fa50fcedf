"""Read a price file of 100 MB with many tickers, and a folder of 10,000 files: memory beside a tenth of each.

`zenith prices check` reads and cleans each ticker, in a process of its own for each size. Memory is its peak.
"""

import argparse
import os
import sys
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from harness.figures import Figure, add_json, report

from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import sessions_between

FIGURES = ("file_growth", "folder_growth")
MEGABYTES, FILES = 100, 10_000
SESSIONS, FILE_SESSIONS = 5_000, 60


def main() -> None:
    """Write the files, read them, print the figures beside their bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=MEGABYTES)
    parser.add_argument("--files", type=int, default=FILES)
    add_json(parser)
    arguments = parser.parse_args()
    figures = [
        _figure("file_growth", _write_file, arguments.megabytes, "MB in one file"),
        _figure("folder_growth", _write_folder, arguments.files, "files"),
    ]
    report("long_files", figures, arguments.json)


def _figure(name: str, write, size: int, unit: str) -> Figure:
    peaks = []
    for each in (size // 10, size):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), each)
            peak, seconds = _read(folder)
        print(f"  {each:>6} {unit:<15}{peak:>8.0f} MB{seconds:>8.1f} CPU s")
        peaks.append(peak)
    return Figure(name, peaks[1], peaks[0])


def _read(folder: str) -> tuple[float, float]:
    """Return the peak of resident memory in MB and the CPU seconds of `zenith prices check`."""
    command = [sys.executable, "-m", "zenith_cli.main", "prices", "check", folder]
    nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    process = os.posix_spawn(sys.executable, command, os.environ, file_actions=nowhere)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"`zenith prices check` ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def _write_file(folder: Path, megabytes: int) -> None:
    number = 0
    with (folder / "all.csv").open("w") as file:
        while file.tell() < megabytes * 1e6:
            table = _prices(number, SESSIONS).assign(Ticker=f"T{number:04}")
            table.to_csv(file, header=number == 0)
            number += 1


def _write_folder(folder: Path, files: int) -> None:
    texts = [_prices(number, FILE_SESSIONS).to_csv() for number in range(20)]
    for number in range(files):
        (folder / f"T{number:05}.csv").write_text(texts[number % len(texts)])


def _prices(number: int, sessions: int) -> pd.DataFrame:
    random = np.random.default_rng(number)
    index = sessions_between(exchange_of("AAPL"), date(2000, 1, 1), date(2024, 12, 31))[-sessions:]
    close = 50 * np.exp(np.cumsum(0.015 * random.standard_normal(sessions)))
    open_ = close * np.exp(0.005 * random.standard_normal(sessions))
    columns = {
        "Open": open_,
        "High": np.maximum(open_, close) * 1.005,
        "Low": np.minimum(open_, close) * 0.995,
        "Close": close,
        "Volume": np.round(1e6 * np.exp(0.3 * random.standard_normal(sessions))),
    }
    return pd.DataFrame(columns, index=index.rename("Date")).round(4)


if __name__ == "__main__":
    main()
