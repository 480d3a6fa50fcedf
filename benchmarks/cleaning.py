"""Read and clean 100 tickers of 5,000 sessions from CSV: time per ticker beside the parse, and peak memory.

One process on one core takes one ticker after the other, like a worker of `zenith run`. Each count of tickers runs in
a separate process, so that their peaks do not mix. Times are CPU times, best of three, because other programs slow
memory down.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from harness.figures import Figure, add_json, report

FIGURES = ("beyond_parse", "growth")
TICKERS = 100
SESSIONS = 5_000
STEPS = ("parse", "read, beyond the parse", "clean")


def main() -> None:
    """Write the files, measure 10 and all tickers, print the figures beside their bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickers", type=int, default=TICKERS)
    add_json(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _write_files(Path(folder), arguments.tickers)
        few, all_ = _measure_apart(folder, arguments.tickers // 10), _measure_apart(folder, arguments.tickers)
    print(f"{arguments.tickers} tickers of {SESSIONS} sessions, ms a ticker on one core (median, slowest)")
    for step in STEPS:
        print(f"  {step:<24}{statistics.median(all_[step]):>8.1f}{max(all_[step]):>8.1f}")
    beyond = sum(sum(all_[step]) for step in STEPS[1:]) / arguments.tickers
    figures = [
        Figure("beyond_parse", beyond, sum(all_["parse"]) / arguments.tickers),
        Figure("growth", all_["peak"], few["peak"]),
    ]
    report("cleaning", figures, arguments.json)


def _measure_apart(folder: str, tickers: int) -> dict:
    result = subprocess.run(
        [sys.executable, __file__, folder, str(tickers)], check=True, capture_output=True, text=True
    )
    return json.loads(result.stdout)


def measure(folder: Path, tickers: int) -> None:
    """Read and clean the first tickers of `folder`; print ms by step and the peak of resident memory in MB as JSON."""
    from zenith_core.market.exchanges import exchange_of

    paths = sorted(folder.iterdir())[:tickers]
    timezone = exchange_of("AAPL").timezone
    _times(paths[0], timezone)  # creates the exchange's calendar, once per process
    figures: dict = {step: [] for step in STEPS}
    for path in paths:
        runs = zip(*(_times(path, timezone) for _ in range(3)), strict=True)
        for step, times in zip(STEPS, runs, strict=True):
            figures[step].append(1000 * min(times))
    figures["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures))


def _times(path: Path, timezone: str) -> tuple[float, float, float]:
    """Return the seconds to parse a file, to read it beyond the parse, and to clean it."""
    import pandas as pd

    from zenith_core.prices.cleaning import clean_prices
    from zenith_pipelines.ingestion.sources.files.price_file import PriceFile

    start = time.process_time()
    pd.read_csv(path)
    parse = time.process_time() - start
    raw = PriceFile(path).prices(path.stem, timezone)
    read = time.process_time() - start - parse
    clean_prices(raw, path.stem)
    return parse, read - parse, time.process_time() - start - parse - read


def _write_files(folder: Path, tickers: int) -> None:
    """Write random walks with quarterly dividends, a split, gaps, impossible and flat rows."""
    import numpy as np
    import pandas as pd

    from zenith_core.market.exchanges import exchange_of
    from zenith_core.market.sessions import sessions_between

    index = sessions_between(exchange_of("AAPL"), date(2000, 1, 1), date(2024, 12, 31))[-SESSIONS:]
    for number in range(tickers):
        random = np.random.default_rng(number)
        close = 50 * np.exp(np.cumsum(0.015 * random.standard_normal(SESSIONS)))
        open_ = close * np.exp(0.005 * random.standard_normal(SESSIONS))
        table = pd.DataFrame(
            {
                "Open": open_,
                "High": np.maximum(open_, close) * 1.005,
                "Low": np.minimum(open_, close) * 0.995,
                "Close": close,
                "Volume": np.round(1e6 * np.exp(0.3 * random.standard_normal(SESSIONS))),
                "Dividends": np.where(np.arange(SESSIONS) % 63 == 50, 0.2, 0.0),
                "Stock Splits": 0.0,
            },
            index=index.rename("Date"),
        )
        split = int(random.integers(1000, 4000))
        table.iloc[:split, :4] *= 2
        table.iloc[:split, 4] /= 2
        table.iloc[split, 6] = 2.0
        table.iloc[random.integers(0, SESSIONS, 10), 0] = 0.0
        table.iloc[random.integers(0, SESSIONS, 10), 3] = np.nan
        table.drop(index=index[random.integers(0, SESSIONS, 20)]).round(6).to_csv(folder / f"T{number:03}.csv")


if __name__ == "__main__":
    if len(sys.argv) == 3 and Path(sys.argv[1]).is_dir():
        measure(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
