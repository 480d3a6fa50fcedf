"""The table at the end of `make bench`, and its last line."""

from collections.abc import Sequence

from harness.figures import Figure, Promise, cells, promises, verdict
from harness.results import Outcome
from rich.table import Table


def table(outcomes: Sequence[Outcome]) -> Table:
    """A line for each declared figure of the benchmarks that were asked for, measured or not."""
    made = Table(box=None, pad_edge=False, title="\nours beside the peer's, in one run", title_justify="left")
    made.add_column("figure", overflow="fold")
    for name in ("ours", "peer's"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("peer", overflow="fold")
    for name in ("ratio", "bar", "aim"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("", no_wrap=True)
    for outcome in outcomes:
        made.add_row(f"[bold]{outcome.name}[/bold]", *[""] * 6, "[bold red]FAILED[/]" if outcome.failure else "")
        for row in rows(outcome):
            made.add_row(*row)
    return made


def rows(outcome: Outcome) -> list[tuple[str, ...]]:
    """The cells of a benchmark's figures."""
    found = {figure.name: figure for figure in outcome.figures}
    return [_row(promise, found.get(name), outcome) for name, promise in promises().get(outcome.name, {}).items()]


def _row(promise: Promise, figure: Figure | None, outcome: Outcome) -> tuple[str, ...]:
    if figure is None:
        return (f"  {promise.what}", *[""] * 6, "not measured")
    ours, peer, judged, bar, aim = cells(promise, figure)
    said = verdict(promise, figure)
    if said and outcome.rough:
        said = "too short to judge"
    shown = f"[bold red]{said}[/]" if said == "MISSED" else said
    return (f"  {promise.what}", ours, peer, promise.peer or "", judged, bar, aim, shown)


def last_line(outcomes: Sequence[Outcome], seconds: float) -> str:
    """What is to be known if nothing else is read."""
    failed = [outcome.name for outcome in outcomes if outcome.failure]
    missed = [f"{outcome.name}.{name}" for outcome in outcomes for name in outcome.missed]
    held = sum(
        bool(verdict(promises()[outcome.name][figure.name], figure))
        for outcome in outcomes
        if not outcome.rough
        for figure in outcome.figures
    )
    parts = [f"{held - len(missed)} of {held} bars met in {seconds / 60:.0f} min"]
    parts += [f"MISSED: {', '.join(missed)}"] if missed else []
    parts += [f"FAILED: {', '.join(failed)}"] if failed else []
    busy = [outcome.name for outcome in outcomes if outcome.others > 0.2]
    parts += [f"other programs were at work during {', '.join(busy)}: times are too long"] if busy else []
    return "; ".join(parts)
