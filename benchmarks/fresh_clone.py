"""Waiting times of a new user: `make run` in a fresh clone, and two epochs; import of definitions; serving memory.

Clones the last commit of this repository into a temporary folder, without uncommitted changes. Packages come from the
installer's cache if possible. Linux only.
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
    """Clone, run and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_json(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "zenith"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        start = time.perf_counter()
        four = answer(
            ["make", "--no-print-directory", "run", "ARGS=--json"], clone
        )  # or the outer `make bench` prints its folder
        figures = [Figure("make_run", time.perf_counter() - start), Figure("four_tickers", four["seconds"])]
        home = clone / ".zenith"
        figures.append(Figure("serving_memory", serving_memory(home, list(four["tickers"]))))
        two = answer([clone / ".venv/bin/zenith", "run", "--source", "sample", "--epochs", "2", "--json"], clone)
        figures.append(Figure("two_epochs", two["seconds"]))
        figures.append(Figure("code_location", code_location(clone)))
    report("fresh_clone", figures, arguments.json)


def answer(command: Sequence[str | Path], clone: Path) -> dict[str, Any]:
    """Run a command; return the JSON document at the end of its output."""
    environment = {**os.environ, "ZENITH_HOME": ".zenith"}
    result = subprocess.run(command, cwd=clone, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    document: dict[str, Any] = json.loads(result.stdout[result.stdout.index("{") :])
    print(f"{' '.join(map(str, command))}: {document['seconds']} s", flush=True)
    return document


def serving_memory(home: Path, tickers: Sequence[str]) -> float:
    """Return resident MB after a prediction for each ticker."""
    with zenith(Settings(zenith_home=home)) as server:
        for ticker in tickers:
            server.post("/api/v1/ml/predict/comprehensive", {"ticker": ticker})
        return server.resident_mb


def code_location(clone: Path, times: int = 3) -> float:
    """Return the median seconds that a fresh process takes to import the definitions."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run([clone / ".venv/bin/python", "-c", "import zenith_pipelines.definitions"], cwd=clone, check=True)
        took.append(time.perf_counter() - start)
    return statistics.median(took)


if __name__ == "__main__":
    main()
