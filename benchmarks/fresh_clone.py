"""What a new user waits for: `make run` in a fresh clone, its four tickers, the same with two epochs; and two sizes.

Clones the last commit of this repository into a temporary folder, without what is not committed. Packages come from the
installer's cache if they are there. Linux only.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.figures import Figure, add_json, report
from harness.servers import zenith

from zenith_serving.settings import Settings

FIGURES = ("make_run", "four_tickers", "two_epochs", "code_location", "serving_memory")
ROOT = Path(__file__).parents[1]


def main() -> None:
    """Clone, run, and look at what is there then."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_json(parser)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "zenith"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        started = time.perf_counter()
        four = answer(["make", "--no-print-directory", "run", "ARGS=--json"], clone)  # `make bench` is a make too
        figures = [Figure("make_run", time.perf_counter() - started), Figure("four_tickers", four["seconds"])]
        home = clone / ".zenith"
        figures.append(Figure("serving_memory", serving_memory(home, list(four["tickers"]))))
        two = answer([clone / ".venv/bin/zenith", "run", "--source", "sample", "--epochs", "2", "--json"], clone)
        figures.append(Figure("two_epochs", two["seconds"]))
        figures.append(Figure("code_location", code_location(clone)))
    report("fresh_clone", figures, asked.json)


def answer(command: Sequence[str | Path], clone: Path) -> dict[str, Any]:
    """The JSON document at the end of what a command prints."""
    environment = {**os.environ, "ZENITH_HOME": ".zenith"}
    done = subprocess.run(command, cwd=clone, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    print(f"{' '.join(map(str, command))}: {document['seconds']} s", flush=True)
    return document


def serving_memory(home: Path, tickers: Sequence[str]) -> float:
    """Resident MB when all have been asked."""
    with zenith(Settings(zenith_home=home)) as server:
        for ticker in tickers:
            server.post("/api/v1/ml/predict/comprehensive", {"ticker": ticker})
        return server.resident_mb


def code_location(clone: Path, times: int = 3) -> float:
    """Seconds that a fresh process takes to import the definitions."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        subprocess.run([clone / ".venv/bin/python", "-c", "import zenith_pipelines.definitions"], cwd=clone, check=True)
        took.append(time.perf_counter() - started)
    return statistics.median(took)


if __name__ == "__main__":
    main()
