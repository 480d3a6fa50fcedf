"""Bookkeeping of the benchmarks: declared figures, verdicts, failures and stored results. No time is asserted."""

import importlib
import json
import math
import re
import sys
from io import StringIO

import capacity_page
import plots
import pytest
import run_all
from harness import figures, many_tickers, results, summary
from harness.figures import Figure, Promise
from rich.console import Console

from tests.empty_databases import put_mlflow_database
from zenith_serving.registry import open_registry
from zenith_serving.registry.version_listing import list_models

NAMES = [benchmark.name for benchmark in run_all.BENCHMARKS]


def render(outcomes):
    console = Console(file=StringIO(), width=200)
    console.print(summary.table(outcomes))
    return console.file.getvalue()


def line_of(text, start):
    return next(line for line in text.splitlines() if line.strip().startswith(start))


@pytest.mark.parametrize("name", NAMES)
def test_each_benchmark_declares_its_figures_in_bars_toml(name):
    assert set(importlib.import_module(name).FIGURES) == set(figures.promises()[name])


def test_each_bar_has_a_benchmark():
    assert set(figures.promises()) == set(NAMES)


def test_each_promise_can_be_judged():
    for name, promise in [each for of in figures.promises().values() for each in of.items()]:
        assert promise.judged in figures._JUDGED, name
        assert promise.better in ("higher", "lower", "between"), name
        assert isinstance(promise.bar, tuple) == (promise.better == "between"), name
        assert (promise.peer is None) <= (promise.judged == "ours"), name
        assert (promise.bar is None) == (promise.source is None), name
        if promise.aim is not None:
            assert promise.meets(promise.aim, promise.bar), f"{name}: the aim misses the bar"


@pytest.mark.parametrize(
    ("promise", "figure", "value", "verdict"),
    [
        (Promise("a", "s", bar=75), Figure("a", 75.0), 75, "bar met"),
        (Promise("a", "s", bar=75), Figure("a", 75.1), 75.1, "MISSED"),
        (Promise("a", "s", bar=75), Figure("a", math.nan), math.nan, "MISSED"),
        (Promise("a", "s", bar=3, aim=1.5), Figure("a", 1.2), 1.2, "aim met"),
        (Promise("a", "s"), Figure("a", 1.2), 1.2, ""),
        (Promise("a", "s", "b", "peer/ours", "higher", bar=3), Figure("a", 2.0, 5.0), 2.5, "MISSED"),
        (Promise("a", "s", "b", "peer/ours", "higher", bar=3), Figure("a", 2.0, 6.0), 3, "bar met"),
        (Promise("a", "/s", "b", "ours/peer", "higher", bar=0.5, aim=0.8), Figure("a", 90.0, 100.0), 0.9, "aim met"),
        (Promise("a", "MB", "b", "ours-peer", bar=5), Figure("a", 106.0, 100.0), 6, "MISSED"),
        (
            Promise("a", "bp", "b", "1-ours/peer", "higher", bar=0.0, aim=0.03),
            Figure("a", 98.0, 100.0),
            0.02,
            "bar met",
        ),
        (Promise("a", "", better="between", bar=(0.87, 0.93)), Figure("a", 0.9), 0.9, "bar met"),
        (Promise("a", "", better="between", bar=(0.87, 0.93)), Figure("a", 0.94), 0.94, "MISSED"),
        (Promise("a", "s", "b", "ours/peer", bar=1.1), Figure("a", 1.0), math.nan, "MISSED"),
    ],
)
def test_figure_is_judged_by_the_quantity_of_its_bar(promise, figure, value, verdict):
    assert figures.judged_value(promise, figure) == pytest.approx(value, nan_ok=True)
    assert figures.verdict(promise, figure) == verdict


def test_table_marks_missed_and_unmeasured_figures():
    outcome = results.Outcome("whole_job", figures=[Figure("seconds", 80.0)])
    text = render([outcome])
    assert line_of(text, "one ticker's whole job ").split()[-6:] == ["80.0", "s", "≤", "75.0", "s", "MISSED"]
    assert line_of(text, "one ticker's whole job, peak").endswith("not measured")
    assert outcome.missed_bars == ["seconds"]
    assert "0 of 1 bars met" in summary.last_line([outcome], 60)
    assert "MISSED: whole_job.seconds" in summary.last_line([outcome], 60)


def test_rough_outcome_neither_meets_nor_misses_a_bar():
    outcome = results.Outcome("whole_job", rough=True, figures=[Figure("seconds", 80.0), Figure("memory", 1.0)])
    assert "MISSED" not in render([outcome])
    assert "bar met" not in render([outcome])
    assert outcome.missed_bars == []
    assert summary.last_line([outcome], 60) == "0 of 0 bars met in 1 min"


def test_missed_bar_fails_only_with_strict():
    slow = results.Outcome("whole_job", figures=[Figure("seconds", 80.0)])
    crash = results.Outcome("features", failure="exit status 1")
    assert (run_all.status([slow], False), run_all.status([slow], True)) == (0, 1)
    assert run_all.status([slow, crash], False) == 1
    assert "FAILED" in line_of(render([slow, crash]), "features")
    assert "FAILED: features" in summary.last_line([slow, crash], 60)


def run(tmp_path, code, name="whole_job"):
    script = tmp_path / "script.py"
    script.write_text(code)
    with (tmp_path / "log").open("w") as log:
        return results.run_benchmark(
            name, [sys.executable, str(script)], run_all.environment(tmp_path), log, 20.0, True
        )


WRITE = (
    "import json, pathlib, sys; pathlib.Path(sys.argv[2]).write_text(json.dumps({'figures': FIGURES, 'series': {}}))"
)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("print('so far'); raise SystemExit('no such model')", "exit status 1; last line of .*log: no such model"),
        ("pass", "wrote no figures"),
        (f"FIGURES = [dict(name='other', ours=1.0)]\n{WRITE}", "not declared in bars.toml: other"),
        (f"FIGURES = [dict(name='seconds', ours=float('nan'))]\n{WRITE}", "figures that are not finite: seconds"),
    ],
)
def test_a_benchmark_that_cannot_run_fails_with_its_reason(tmp_path, code, reason):
    outcome = run(tmp_path, code)
    assert re.search(reason, str(outcome.failure))


def test_settings_of_the_caller_do_not_reach_a_benchmark(tmp_path, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("ZENITH_RATE_LIMIT", "1/minute")
    code = "import os; assert not {'REDIS_URL', 'ZENITH_RATE_LIMIT'} & set(os.environ)\n"
    outcome = run(tmp_path, f"{code}FIGURES = [dict(name='seconds', ours=1.0)]\n{WRITE}")
    assert outcome.failure is None
    assert outcome.figures == [Figure("seconds", 1.0)]


@pytest.mark.slow
def test_results_keep_benchmarks_that_were_not_run(tmp_path, monkeypatch):
    file = tmp_path / "bench.json"
    for cpu, name in (("one", "whole_job"), ("another", "whole_job"), ("a third", "features")):
        monkeypatch.setattr(results, "_cpu", lambda cpu=cpu: cpu)
        document = results.Results.load(file)
        document.add("full", [results.Outcome(name, figures=[Figure(next(iter(figures.promises()[name])), 10.0)])])
        document.save(file)
    document = json.loads(file.read_text())
    cpu_by_benchmark = {
        name: document["machines"][each["machine"]]["cpu"] for name, each in document["benchmarks"].items()
    }
    assert cpu_by_benchmark == {"whole_job": "another", "features": "a third"}
    assert {each["cpu"] for each in document["machines"].values()} == {"another", "a third"}
    assert document["benchmarks"]["whole_job"]["figures"][0]["verdict"] == "bar met"
    assert [each.figures[0].ours for each in results.Results.load(file).outcomes()] == [10.0, 10.0]


def test_capacity_page_matches_the_committed_results():
    results = json.loads((run_all.HERE / "results" / "bench.json").read_text())
    assert capacity_page.page(results) == capacity_page.PAGE.read_text(), "run benchmarks/capacity_page.py"


@pytest.mark.slow
def test_plots_are_drawn_for_benchmarks_with_data(tmp_path):
    series = {"sessions": [1000, 5000], "ms": {name: [1.0, 5.0] for name in ("ta", "TA-Lib", "indicators", "features")}}
    pictures = plots.draw({"benchmarks": {"features": {"series": series}, "serving": {"series": {}}}}, tmp_path)
    assert [path.name for path in pictures] == ["scaling-features.png"]
    assert pictures[0].read_bytes().startswith(b"\x89PNG")


def test_a_simulated_registry_is_listed_as_a_trained_one(tmp_path):
    put_mlflow_database(tmp_path)
    many_tickers.fill_registry(tmp_path / "mlflow.db", ["T1", "T2", "T3"])

    page = list_models(open_registry(f"sqlite:///{tmp_path}/mlflow.db"), status="production", limit=5)

    assert [one.name for one in page.models] == ["lstm-T1", "ensemble-T1", "lstm-T2", "ensemble-T2", "lstm-T3"]
    assert page.next == "lstm-T3/4"
    assert page.models[0].metrics["value"] == 0.5
