"""A decision as people read it in the Dagster UI: its gates as a markdown table, its figures as numbers that plot."""

from collections.abc import Mapping
from typing import Any

_PLOTTED = ("candidate", "champion", "change", "p_worse", "origins", "newer", "brier", "brier_baseline", "ece", "rows")


def markdown(decision: Mapping[str, Any]) -> str:
    """Headline and one row per gate."""
    standing = f" ({decision['standing']})" if decision["standing"] else ""
    head = f"**{decision['model']} version {decision['version']}: {decision['outcome']}**{standing}; "
    head += f"in Production: {decision['production'] or 'nothing'}, before: {decision['previous'] or 'nothing'}"
    rows = [
        f"| {gate['gate']} | {'passed' if gate['passed'] else '**refused**'} | {_cell(gate['says'])} |"
        for gate in decision["gates"]
    ]
    return "\n".join([head, "", "| gate | verdict | seen |", "|---|---|---|", *rows])


def figures(decision: Mapping[str, Any]) -> dict[str, float]:
    """`<gate>/<figure>` for each number of each gate."""
    return {
        f"{gate['gate']}/{name}": value
        for gate in decision["gates"]
        for name, value in gate["figures"].items()
        if name in _PLOTTED and isinstance(value, int | float)
    } | {
        f"{gate['gate']}/at_{seen['horizon']}": seen["candidate"]
        for gate in decision["gates"]
        for seen in gate["figures"].get("horizons", ())
    }


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
