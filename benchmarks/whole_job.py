"""Whole job of one ticker in a fresh home: total seconds, seconds by stage, and peak memory. Linux only."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.figures import Figure, add_json, report

FIGURES = ("seconds", "memory")
POLL_SECONDS = 0.2


def main() -> None:
    """Run `zenith run` for AAPL like a user, watch its processes, and report time and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_json(parser)
    arguments = parser.parse_args()
    zenith = Path(sys.executable).with_name("zenith")
    command = [zenith, "run", "--source", "sample", "--tickers", "AAPL", "--json"]
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "ZENITH_HOME": home}
        load, start, peak = os.getloadavg()[0], time.perf_counter(), 0.0
        job = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        while job.poll() is None:
            peak = max(peak, sum(map(resident_gb, [job.pid, *descendants(job.pid)])))
            time.sleep(POLL_SECONDS)
        seconds = time.perf_counter() - start
        answer = json.loads(job.communicate()[0])
    print(f"{os.cpu_count()} cores, load before {load:.1f}, at the end {os.getloadavg()[0]:.1f}")
    for stage, took in answer["tickers"]["AAPL"]["seconds"].items():
        print(f"  {stage:<24}{took:8.1f} s")
    if job.returncode:
        sys.exit(f"zenith run failed with status {job.returncode}")
    # Memory: pages shared by processes count once for each.
    report("whole_job", [Figure("seconds", seconds), Figure("memory", peak)], arguments.json)


def descendants(pid: int) -> list[int]:
    """Return the living children of `pid`, and their children."""
    try:
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:  # it has just ended
        return []
    return [*children, *(below for child in children for below in descendants(child))]


def resident_gb(pid: int) -> float:
    """Return the resident memory of the process now; 0 if it has just ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e9
    except OSError:
        return 0.0


if __name__ == "__main__":
    main()
