"""Outcome of each benchmark, and the JSON file that stores them."""

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
    """One benchmark: its figures, or the reason for its failure.

    others: mean number of cores that other programs used meanwhile
    rough:  True if the run was too short to judge
    """

    name: str
    failure: str | None = None
    seconds: float = 0.0
    others: float = 0.0
    rough: bool = False
    figures: list[Figure] = field(default_factory=list)
    series: dict[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """One line on the outcome."""
        return (
            f"FAILED: {self.failure}"
            if self.failure
            else f"{self.seconds:.0f} s, other programs used {self.others:.1f} cores"
        )

    @property
    def missed_bars(self) -> list[str]:
        """Names of the figures that miss their bars."""
        declarations = promises().get(self.name, {})
        return [
            each.name for each in self.figures if not self.rough and verdict(declarations[each.name], each) == "MISSED"
        ]


def run_benchmark(
    name: str, command: Sequence[str], environment: Mapping[str, str], log: IO[str], limit: float, has_figures: bool
) -> Outcome:
    """Run a benchmark in its own process group, and kill the group afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        arguments = [*command, "--json", str(file)] if has_figures else [*command]
        start, busy, own = time.perf_counter(), busy_seconds(), own_seconds()
        process = subprocess.Popen(arguments, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
        seconds = time.perf_counter() - start
        outcome = Outcome(name, seconds=seconds)
        outcome.others = max(0.0, (busy_seconds() - busy - (own_seconds() - own)) / seconds)
        if code is None:
            outcome.failure = f"not finished after {limit:.0f} s"
        elif code:
            outcome.failure = f"exit status {code}; last line of {log.name}: {_last_line(Path(log.name))}"
        elif has_figures:
            outcome.failure = _read_figures(outcome, file)
    return outcome


def _read_figures(outcome: Outcome, file: Path) -> str | None:
    """Read the figures into the outcome; return the reason if that fails."""
    if not file.exists():
        return "exit status 0, but it wrote no figures"
    document = json.loads(file.read_text())
    outcome.figures, outcome.series = [Figure(**each) for each in document["figures"]], document["series"]
    if unknown := [each.name for each in outcome.figures if each.name not in promises().get(outcome.name, {})]:
        return f"figures not declared in bars.toml: {', '.join(unknown)}"
    bad = [each.name for each in outcome.figures if not math.isfinite(each.ours)]
    return f"figures that are not finite: {', '.join(bad)}" if bad else None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Terminate, then kill, the remaining processes of its group."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            time.sleep(0 if process.poll() is not None else 2)
        except ProcessLookupError:
            break
    process.wait()


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "(empty)"


def busy_seconds() -> float:
    """Return the seconds that all processors have worked since boot; 0 if the system does not tell."""
    try:
        ticks = [int(each) for each in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    except OSError:
        return 0.0
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")  # all but idle and iowait


def own_seconds() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@dataclass
class Results:
    """The JSON document: the last measurement of each benchmark, and its machine."""

    machines: dict[str, dict[str, Any]] = field(default_factory=dict)
    benchmarks: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path) -> "Results":
        """Load the stored results, or empty ones."""
        return cls(**json.loads(file.read_text())) if file.exists() else cls()

    def add(self, form: str, outcomes: Sequence[Outcome]) -> None:
        """Add outcomes, replacing earlier ones of the same benchmarks."""
        this = machine()
        name = hashlib.sha256(json.dumps(this, sort_keys=True).encode()).hexdigest()[:8]
        about = {"form": form, "machine": name, "commit": _commit()}
        about["when"] = datetime.now(UTC).isoformat(timespec="seconds")
        for outcome in outcomes:
            figures = [vars(figure) | _judged(outcome.name, figure) for figure in outcome.figures]
            self.benchmarks[outcome.name] = about | asdict(outcome) | {"figures": figures}
        names = {each["machine"] for each in self.benchmarks.values()}
        self.machines = {key: each for key, each in (self.machines | {name: this}).items() if key in names}

    def outcomes(self) -> list[Outcome]:
        """Return all stored outcomes."""
        keys = [each.name for each in fields(Outcome)]
        outcomes = []
        for entry in self.benchmarks.values():
            figures = [Figure(each["name"], each["ours"], each["peer"]) for each in entry["figures"]]
            outcomes.append(Outcome(**({key: entry[key] for key in keys} | {"figures": figures})))
        return outcomes

    def save(self, file: Path) -> None:
        """Write the whole document."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(self), indent=1) + "\n")


def _judged(benchmark: str, figure: Figure) -> dict[str, Any]:
    """Return the declaration, judged value and verdict of a figure, for readers of the JSON."""
    promise = promises()[benchmark][figure.name]
    declaration = {key: getattr(promise, key) for key in ("what", "unit", "judged", "better", "bar", "aim")}
    value = judged_value(promise, figure) if promise.judged == "ours" or figure.peer is not None else None
    return {**declaration, "peer_name": promise.peer, "value": value, "verdict": verdict(promise, figure)}


def machine() -> dict[str, Any]:
    """Return the hardware, system and library versions that figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 2**30),
        "system": platform.system(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES if _is_installed(name)},
    }


def _cpu() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return next((each.partition(": ")[2] for each in lines if each.startswith("model name")), platform.machine())


def _is_installed(library: str) -> bool:
    from importlib.metadata import PackageNotFoundError

    try:
        version(library)
    except PackageNotFoundError:
        return False
    return True


def _commit() -> str:
    """Return the commit, with a + if files have changed since; empty outside a clone."""
    command = ["git", "describe", "--always", "--dirty=+"]
    result = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    return result.stdout.strip()


if __name__ == "__main__":
    sys.exit("not a benchmark: run run_all.py")
