"""Measure every promised figure beside its peer in one run: `make bench`, `make bench-quick`.

Benchmarks run one after the other in separate processes, in an environment without Zenith's settings. A failure is
reported and the others continue. Absolute times depend on the machine, so the CPU use of other programs is measured and
printed.

Exit status: 0 if every benchmark ran, even if a bar was missed, because a slow or busy machine is no error; 1 if one
could not run; with --strict also 1 if a bar was missed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from harness.results import FORMS, Outcome, Results, run_benchmark
from harness.summary import last_line, table
from rich.console import Console

HERE = Path(__file__).parent
WORK = Path(".zenith/benchmarks")
LIMIT_SECONDS = 6 * 3600.0  # a benchmark that hangs must not stop the suite
OURS = ("ZENITH_", "DAGSTER_", "MLFLOW_", "REDIS_URL", "DATABASE_URL", "MODELS_PATH", "ML_CACHE_TTL", "KERAS_BACKEND")


@dataclass(frozen=True)
class Benchmark:
    """A script and its arguments in each form; without arguments for a form it is skipped.

    rough:       forms that are too short to judge
    needs_model: True if it needs a ZENITH_HOME with a trained AAPL
    """

    name: str
    arguments: dict[str, tuple[str, ...]]
    rough: tuple[str, ...] = ()
    needs_model: bool = False

    @property
    def command(self) -> list[str]:
        """The command that starts it."""
        return [sys.executable, str(HERE / f"{self.name}.py")]


def _always(quick: str, full: str = "", long: str = "") -> dict[str, tuple[str, ...]]:
    return dict(zip(FORMS, (tuple(each.split()) for each in (quick, full, long or full)), strict=True))


BENCHMARKS = (
    Benchmark("features", _always("")),
    Benchmark("cleaning", _always("--tickers 20")),
    Benchmark("long_files", {"full": (), "long": ()}),
    Benchmark("surroundings", _always("")),
    Benchmark("inference", _always("--rounds 1 --calls 100"), needs_model=True),
    Benchmark("serving", _always("--rounds 1 --seconds 2"), needs_model=True),
    Benchmark("serving_scaling", _always("--rounds 1 --seconds 0.5"), needs_model=True),
    Benchmark("training_speed", _always("--seeds 1 --epochs 6", "--seeds 5"), rough=("quick",)),
    Benchmark("bands", _always("--seeds 1 --every 40", "--seeds 3", "--seeds 20 --lstm 12"), rough=("quick",)),
    Benchmark("claims", _always("--repeats 20 --universes 4", ""), rough=("quick",)),
    Benchmark("signal_claims", _always("--paths 200", ""), rough=("quick",)),
    Benchmark("bands_pool", {}),  # by hand, as the next: it needs a folder of prices, --data
    Benchmark("scale_network", {}),
    Benchmark("leaderboard", {}),
    Benchmark("overview", {}),  # it needs a trained home, --home
    Benchmark("orchestration", _always("--epochs 1 --rounds 1"), rough=("quick",)),
    Benchmark("whole_job", {"full": (), "long": ()}),
    Benchmark("fresh_clone", {"full": (), "long": ()}),
    Benchmark(
        "truth_and_noise",
        {"full": ("--seeds", "4", "--afresh", "--out", str(WORK / "truth_and_noise_short.jsonl"))}
        | {"long": ("--out", str(WORK / "truth_and_noise.jsonl"))},
        rough=("full",),
    ),
    Benchmark("nightly", {"full": (), "long": ()}),
    Benchmark("weekly", {"long": ()}),
    Benchmark("storage", {"long": ()}),
    Benchmark("many_tickers", {"full": (), "long": ()}),
    Benchmark("capacity", {"long": ("--folder", str(WORK / "capacity"))}),
)


@dataclass
class Suite:
    """One run of the selected benchmarks. Each outcome is written to `out` when it ends."""

    form: str
    out: Path
    console: Console
    outcomes: list[Outcome] = field(default_factory=list)

    def run(self, benchmarks: Sequence[Benchmark]) -> None:
        """Run the benchmarks in turn; print a line when each starts and ends."""
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "home"
            has_model = any(each.needs_model for each in benchmarks) and self._train(home)
            for number, benchmark in enumerate(benchmarks, start=1):
                label = f"[{number}/{len(benchmarks)}] {benchmark.name}"
                if benchmark.needs_model and not has_model:
                    outcome = Outcome(benchmark.name, failure="no trained model")
                else:
                    arguments = benchmark.arguments[self.form]
                    outcome = self._run_one(label, benchmark.name, [*benchmark.command, *arguments], home)
                outcome.rough = self.form in benchmark.rough
                self.outcomes.append(outcome)
                self._save(outcome)
                self.console.print(f"{label}: {outcome.summary}", markup=False, highlight=False)

    def _save(self, outcome: Outcome) -> None:
        results = Results.load(self.out)
        results.add(self.form, [outcome])
        results.save(self.out)

    def _train(self, home: Path) -> bool:
        """Train AAPL in `home` for the benchmarks that need a model; their speed does not depend on its epochs."""
        zenith = Path(sys.executable).with_name("zenith")
        command = [str(zenith), "run", "--source", "sample", "--tickers", "AAPL", "--epochs", "2"]
        outcome = self._run_one("training a model to serve", "train", command, home, has_figures=False)
        self.console.print(f"training a model to serve: {outcome.summary}", markup=False, highlight=False)
        return outcome.failure is None

    def _run_one(self, label: str, name: str, command: list[str], home: Path, has_figures: bool = True) -> Outcome:
        log = WORK / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        self.console.print(f"{label} …  (tail -f {log})", markup=False, highlight=False)
        status_line = self.console.status(label) if self.console.is_terminal else nullcontext()
        with status_line, log.open("w") as out:
            return run_benchmark(name, command, environment(home), out, LIMIT_SECONDS, has_figures)


def environment(home: Path) -> dict[str, str]:
    """Return this environment without variables that would change the measurements."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**variables, "ZENITH_HOME": str(home), "PYTHONUNBUFFERED": "1"}


def main() -> int:
    """Run, print the table, write the JSON, draw the plots."""
    options = parse_arguments()
    console = Console(width=None if sys.stdout.isatty() else 150)
    if options.show:
        console.print(table(Results.load(options.out).outcomes()))
        return 0
    selectable = {each.name: each for each in BENCHMARKS if options.form in each.arguments}
    if unknown := [name for name in options.only or () if name not in selectable]:
        sys.exit(f"--only: no {', '.join(unknown)} in the {options.form} form; available: {', '.join(selectable)}")
    suite, start = Suite(options.form, options.out, console), time.perf_counter()
    try:
        suite.run([benchmark for name, benchmark in selectable.items() if not options.only or name in options.only])
    except KeyboardInterrupt:
        console.print("stopped; the finished benchmarks are saved")
        return 130
    suite.console.print(table(suite.outcomes))
    suite.console.print(last_line(suite.outcomes, time.perf_counter() - start), markup=False, highlight=False)
    suite.console.print(f"written: {options.out}", markup=False, highlight=False)
    if options.form != "quick":
        for script in ("plots.py", "capacity_page.py"):
            subprocess.run([sys.executable, HERE / script, options.out], check=True)
    return status(suite.outcomes, options.strict)


def status(outcomes: Sequence[Outcome], is_strict: bool) -> int:
    """Return the exit status, as in the module's docstring."""
    return int(any(each.failure or (is_strict and each.missed_bars) for each in outcomes))


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--quick", dest="form", action="store_const", const="quick", help="about five minutes")
    forms.add_argument("--long", dest="form", action="store_const", const="long", help="hours: all seeds, 50 tickers")
    parser.add_argument(
        "--only", type=lambda text: text.split(","), help="comma-separated benchmarks, for example features,serving"
    )
    parser.add_argument("--out", type=Path, help="JSON file; other benchmarks in it are kept")
    parser.add_argument("--show", action="store_true", help="only print the table of the JSON file")
    parser.add_argument("--strict", action="store_true", help="exit status 1 also if a bar was missed")
    options = parser.parse_args()
    options.form = options.form or "full"
    options.out = options.out or (WORK / "quick.json" if options.form == "quick" else HERE / "results" / "bench.json")
    return options


if __name__ == "__main__":
    sys.exit(main())
