"""What came of each benchmark, and the JSON that keeps it."""

import hashlib
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from harness.figures import Figure, judged_value, promises, verdict

FORMS = ("quick", "full", "long")
_LIBRARIES = (
    *("arch", "dagster", "fastapi", "jax", "keras", "mlflow", "numpy", "onnxruntime", "pandas", "statsforecast"),
    *("ta", "ta-lib", "tensorflow-cpu", "uvicorn"),
)


@dataclass
class Outcome:
    """One benchmark: its figures, or why there are none.

    others: how many cores other programs kept busy meanwhile, in the mean
    rough:  whether it was too short to be held to bars
    """

    name: str
    failure: str | None = None
    seconds: float = 0.0
    others: float = 0.0
    rough: bool = False
    figures: list[Figure] = field(default_factory=list)
    series: dict[str, Any] = field(default_factory=dict)

    @property
    def told(self) -> str:
        """How it went, in a few words."""
        return (
            f"FAILED: {self.failure}" if self.failure else f"{self.seconds:.0f} s, others took {self.others:.1f} cores"
        )

    @property
    def missed(self) -> list[str]:
        """The figures that miss their bars."""
        known = promises().get(self.name, {})
        return [each.name for each in self.figures if not self.rough and verdict(known[each.name], each) == "MISSED"]


def measured(
    name: str, command: Sequence[str], environment: Mapping[str, str], log: IO[str], limit: float, has_figures: bool
) -> Outcome:
    """Run a benchmark in a process group of its own, which is ended with it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        asked = [*command, "--json", str(file)] if has_figures else [*command]
        started, busy, own = time.perf_counter(), busy_seconds(), own_seconds()
        process = subprocess.Popen(asked, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
        seconds = time.perf_counter() - started
        outcome = Outcome(name, seconds=seconds)
        outcome.others = max(0.0, (busy_seconds() - busy - (own_seconds() - own)) / seconds)
        if code is None:
            outcome.failure = f"not done after {limit:.0f} s"
        elif code:
            outcome.failure = f"exit status {code}; the end of {log.name}: {_last_words(Path(log.name))}"
        elif has_figures:
            outcome.failure = _take(outcome, file)
    return outcome


def _take(outcome: Outcome, file: Path) -> str | None:
    """Read the figures into the outcome; why not, if they are not there."""
    if not file.exists():
        return "it ended well, but wrote no figures"
    document = json.loads(file.read_text())
    outcome.figures, outcome.series = [Figure(**each) for each in document["figures"]], document["series"]
    if unknown := [each.name for each in outcome.figures if each.name not in promises().get(outcome.name, {})]:
        return f"figures that bars.toml does not declare: {', '.join(unknown)}"
    bad = [each.name for each in outcome.figures if not math.isfinite(each.ours)]
    return f"no finite figure: {', '.join(bad)}" if bad else None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of it, and of what it started in its group."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            time.sleep(0 if process.poll() is not None else 2)
        except ProcessLookupError:
            break
    process.wait()


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "nothing"


def busy_seconds() -> float:
    """Seconds that all processors have worked since the start of the machine; 0 where that is not told."""
    try:
        ticks = [int(each) for each in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    except OSError:
        return 0.0
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")  # all but idle and waiting for disks


def own_seconds() -> float:
    """Seconds of processors that this process took, and those that it started and that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@dataclass
class Results:
    """The JSON document: what was measured last of each benchmark, and on which of `machines`."""

    machines: dict[str, dict[str, Any]] = field(default_factory=dict)
    benchmarks: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path) -> "Results":
        """What is kept."""
        return cls(**json.loads(file.read_text())) if file.exists() else cls()

    def add(self, form: str, outcomes: Sequence[Outcome]) -> None:
        """Put these in the place of what there was of them."""
        this = machine()
        name = hashlib.sha256(json.dumps(this, sort_keys=True).encode()).hexdigest()[:8]
        about = {"form": form, "machine": name, "commit": _commit()}
        about["when"] = datetime.now(UTC).isoformat(timespec="seconds")
        for outcome in outcomes:
            figures = [vars(figure) | _judged(outcome.name, figure) for figure in outcome.figures]
            self.benchmarks[outcome.name] = about | asdict(outcome) | {"figures": figures}
        used = {each["machine"] for each in self.benchmarks.values()}
        self.machines = {key: each for key, each in (self.machines | {name: this}).items() if key in used}

    def outcomes(self) -> list[Outcome]:
        """All that is kept, as it was told."""
        keys = [each.name for each in fields(Outcome)]
        found = []
        for entry in self.benchmarks.values():
            figures = [Figure(each["name"], each["ours"], each["peer"]) for each in entry["figures"]]
            found.append(Outcome(**({key: entry[key] for key in keys} | {"figures": figures})))
        return found

    def save(self, file: Path) -> None:
        """Write it whole."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(self), indent=1) + "\n")


def _judged(benchmark: str, figure: Figure) -> dict[str, Any]:
    """What a reader of the JSON needs beside the two numbers."""
    promise = promises()[benchmark][figure.name]
    promised = {key: getattr(promise, key) for key in ("what", "unit", "judged", "better", "bar", "aim")}
    value = judged_value(promise, figure) if promise.judged == "ours" or figure.peer is not None else None
    return {**promised, "peer_name": promise.peer, "value": value, "verdict": verdict(promise, figure)}


def machine() -> dict[str, Any]:
    """What figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 2**30),
        "system": platform.system(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES if _is_there(name)},
    }


def _cpu() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return next((each.partition(": ")[2] for each in lines if each.startswith("model name")), platform.machine())


def _is_there(library: str) -> bool:
    from importlib.metadata import PackageNotFoundError

    try:
        version(library)
    except PackageNotFoundError:
        return False
    return True


def _commit() -> str:
    """The commit measured, with a + if files were changed since; empty outside a clone."""
    command = ["git", "describe", "--always", "--dirty=+"]
    told = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    return told.stdout.strip()


if __name__ == "__main__":
    sys.exit("this is no benchmark: run_all.py is")
