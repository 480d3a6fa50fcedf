"""The table at the end of `make bench`, and its last line."""

from collections.abc import Sequence

from harness.figures import Figure, Promise, cells, promises, verdict
from harness.results import Outcome
from rich.table import Table


def table(outcomes: Sequence[Outcome]) -> Table:
    """Return a table with a line for each declared figure, measured or not."""
    grid = Table(box=None, pad_edge=False, title="\nours beside the peer's, in one run", title_justify="left")
    grid.add_column("figure", overflow="fold")
    for name in ("ours", "peer's"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("peer", overflow="fold")
    for name in ("ratio", "bar", "aim"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("", no_wrap=True)
    for outcome in outcomes:
        grid.add_row(f"[bold]{outcome.name}[/bold]", *[""] * 6, "[bold red]FAILED[/]" if outcome.failure else "")
        for row in rows(outcome):
            grid.add_row(*row)
    return grid


def rows(outcome: Outcome) -> list[tuple[str, ...]]:
    """Return the cells of a benchmark's figures."""
    by_name = {figure.name: figure for figure in outcome.figures}
    return [_row(promise, by_name.get(name), outcome) for name, promise in promises().get(outcome.name, {}).items()]


def _row(promise: Promise, figure: Figure | None, outcome: Outcome) -> tuple[str, ...]:
    if figure is None:
        return (f"  {promise.what}", *[""] * 6, "not measured")
    ours, peer, ratio, bar, aim = cells(promise, figure)
    text = verdict(promise, figure)
    if text and outcome.rough:
        text = "too short to judge"
    cell = f"[bold red]{text}[/]" if text == "MISSED" else text
    return (f"  {promise.what}", ours, peer, promise.peer or "", ratio, bar, aim, cell)


def last_line(outcomes: Sequence[Outcome], seconds: float) -> str:
    """Return the most important result in one line."""
    failures = [outcome.name for outcome in outcomes if outcome.failure]
    misses = [f"{outcome.name}.{name}" for outcome in outcomes for name in outcome.missed_bars]
    total = sum(
        bool(verdict(promises()[outcome.name][figure.name], figure))
        for outcome in outcomes
        if not outcome.rough
        for figure in outcome.figures
    )
    parts = [f"{total - len(misses)} of {total} bars met in {seconds / 60:.0f} min"]
    parts += [f"MISSED: {', '.join(misses)}"] if misses else []
    parts += [f"FAILED: {', '.join(failures)}"] if failures else []
    busy = [outcome.name for outcome in outcomes if outcome.others > 0.2]
    parts += [f"other programs ran during {', '.join(busy)}: times are too long"] if busy else []
    return "; ".join(parts)
