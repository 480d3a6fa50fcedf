"""Every figure that Zenith has promised, measured beside its peer in one run: `make bench`, `make bench-quick`.

Benchmarks run one after the other, each in a process of its own, in an environment without Zenith's settings. One that
fails is reported as such, and the others go on. Absolute times depend on the machine: what other programs took of it
meanwhile is measured and printed.

Exit status: 0 if every benchmark ran, also where a bar was missed, because a slow or busy machine is no error; 1 if one
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

from harness.results import FORMS, Outcome, Results, measured
from harness.summary import last_line, table
from rich.console import Console

HERE = Path(__file__).parent
WORK = Path(".zenith/benchmarks")
LIMIT_SECONDS = 6 * 3600.0  # a benchmark that hangs is a failure, not the end of the night
OURS = ("ZENITH_", "DAGSTER_", "MLFLOW_", "REDIS_URL", "DATABASE_URL", "MODELS_PATH", "ML_CACHE_TTL", "KERAS_BACKEND")


@dataclass(frozen=True)
class Benchmark:
    """A script, and its arguments in each form; a form that is not there leaves it out.

    rough:       forms that are too short to hold anybody to a bar
    needs_model: whether it needs a ZENITH_HOME in which AAPL was trained
    """

    name: str
    arguments: dict[str, tuple[str, ...]]
    rough: tuple[str, ...] = ()
    needs_model: bool = False

    @property
    def command(self) -> list[str]:
        """How it is started."""
        return [sys.executable, str(HERE / f"{self.name}.py")]


def _always(quick: str, full: str = "", long: str = "") -> dict[str, tuple[str, ...]]:
    return dict(zip(FORMS, (tuple(each.split()) for each in (quick, full, long or full)), strict=True))


BENCHMARKS = (
    Benchmark("features", _always("")),
    Benchmark("cleaning", _always("--tickers 20")),
    Benchmark("surroundings", _always("")),
    Benchmark("inference", _always("--rounds 1 --calls 100"), needs_model=True),
    Benchmark("serving", _always("--rounds 1 --seconds 2"), needs_model=True),
    Benchmark("serving_scaling", _always("--rounds 1 --seconds 0.5"), needs_model=True),
    Benchmark("training_speed", _always("--repeats 1 --epochs 2", "--repeats 3 --epochs 4"), rough=("quick",)),
    Benchmark("bands", _always("--seeds 1 --every 40", "--seeds 3", "--seeds 20 --lstm 12"), rough=("quick",)),
    Benchmark("orchestration", _always("--epochs 1 --rounds 1"), rough=("quick",)),
    Benchmark("whole_job", {"full": (), "long": ()}),
    Benchmark("fresh_clone", {"full": (), "long": ()}),
    Benchmark(
        "truth_and_noise",
        {"full": ("--seeds", "4", "--afresh", "--out", str(WORK / "truth_and_noise_short.jsonl"))}
        | {"long": ("--out", str(WORK / "truth_and_noise.jsonl"))},
        rough=("full",),
    ),
    Benchmark("capacity", {"long": ("--folder", str(WORK / "capacity"))}),
)


@dataclass
class Suite:
    """One run of all that were asked for. Each is written to `out` as it ends."""

    form: str
    out: Path
    console: Console
    outcomes: list[Outcome] = field(default_factory=list)

    def run(self, benchmarks: Sequence[Benchmark]) -> None:
        """Each in turn, with a line as it begins and as it ends."""
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "home"
            trained = any(each.needs_model for each in benchmarks) and self._train(home)
            for number, benchmark in enumerate(benchmarks, start=1):
                label = f"[{number}/{len(benchmarks)}] {benchmark.name}"
                if benchmark.needs_model and not trained:
                    outcome = Outcome(benchmark.name, failure="there is no trained model for it")
                else:
                    arguments = benchmark.arguments[self.form]
                    outcome = self._one(label, benchmark.name, [*benchmark.command, *arguments], home)
                outcome.rough = self.form in benchmark.rough
                self.outcomes.append(outcome)
                self._keep(outcome)
                self.console.print(f"{label}: {outcome.told}", markup=False, highlight=False)

    def _keep(self, outcome: Outcome) -> None:
        results = Results.load(self.out)
        results.add(self.form, [outcome])
        results.save(self.out)

    def _train(self, home: Path) -> bool:
        """A home with AAPL in it for those who need one; its speed does not depend on the epochs."""
        zenith = Path(sys.executable).with_name("zenith")
        command = [str(zenith), "run", "--source", "sample", "--tickers", "AAPL", "--epochs", "2"]
        outcome = self._one("training a model to serve", "train", command, home, has_figures=False)
        self.console.print(f"training a model to serve: {outcome.told}", markup=False, highlight=False)
        return outcome.failure is None

    def _one(self, label: str, name: str, command: list[str], home: Path, has_figures: bool = True) -> Outcome:
        log = WORK / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        self.console.print(f"{label} …  (tail -f {log})", markup=False, highlight=False)
        shown = self.console.status(label) if self.console.is_terminal else nullcontext()
        with shown, log.open("w") as out:
            return measured(name, command, environment(home), out, LIMIT_SECONDS, has_figures)


def environment(home: Path) -> dict[str, str]:
    """This process's, without what would change what is measured."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "ZENITH_HOME": str(home), "PYTHONUNBUFFERED": "1"}


def main() -> int:
    """Run, print the table, write the JSON, draw the plots."""
    asked = arguments()
    console = Console(width=None if sys.stdout.isatty() else 150)
    if asked.show:
        console.print(table(Results.load(asked.out).outcomes()))
        return 0
    known = {each.name: each for each in BENCHMARKS if asked.form in each.arguments}
    if unknown := [name for name in asked.only or () if name not in known]:
        sys.exit(f"--only: there is no {', '.join(unknown)} in the {asked.form} form; there are {', '.join(known)}")
    suite, started = Suite(asked.form, asked.out, console), time.perf_counter()
    try:
        suite.run([benchmark for name, benchmark in known.items() if not asked.only or name in asked.only])
    except KeyboardInterrupt:
        console.print("stopped; what had ended is kept")
        return 130
    suite.console.print(table(suite.outcomes))
    suite.console.print(last_line(suite.outcomes, time.perf_counter() - started), markup=False, highlight=False)
    suite.console.print(f"written: {asked.out}", markup=False, highlight=False)
    if asked.form != "quick":
        for script in ("plots.py", "capacity_page.py"):
            subprocess.run([sys.executable, HERE / script, asked.out], check=True)
    return status(suite.outcomes, asked.strict)


def status(outcomes: Sequence[Outcome], is_strict: bool) -> int:
    """See the module."""
    return int(any(each.failure or (is_strict and each.missed) for each in outcomes))


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--quick", dest="form", action="store_const", const="quick", help="in about five minutes")
    forms.add_argument("--long", dest="form", action="store_const", const="long", help="hours: all seeds, 50 tickers")
    parser.add_argument("--only", type=lambda text: text.split(","), help="some of them: features,serving")
    parser.add_argument("--out", type=Path, help="the JSON; those not run now keep what is there of them")
    parser.add_argument("--show", action="store_true", help="only print the table of what the JSON has")
    parser.add_argument("--strict", action="store_true", help="exit status 1 also if a bar was missed")
    asked = parser.parse_args()
    asked.form = asked.form or "full"
    asked.out = asked.out or (WORK / "quick.json" if asked.form == "quick" else HERE / "results" / "bench.json")
    return asked


if __name__ == "__main__":
    sys.exit(main())
