"""`zenith models`: the versions of each model, what they are worth, and every decision about them."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.version_listing import list_decisions, list_versions
from zenith_pipelines.settings import Settings

_LEGEND = """loss out of sample: mean absolute error of prices 5 sessions on (lstm), Brier
score (ensemble), and the naive forecast's on the same rows; skill: by how much
it is smaller, * where p < 0.05; ! the features' leakage certificate failed."""


def list_models(ticker: str | None, *, history: bool, as_json: bool) -> None:
    """Print the versions of a ticker's models, or of all. Raises NotAvailable or InvalidTicker."""
    settings = Settings()
    registry = ModelRegistry(settings.tracking_uri, settings.artifact_root)
    found: dict[str, dict[str, Any]] = {
        name: {kind: {"versions": versions} for kind, versions in kinds.items()}
        for name, kinds in list_versions(registry, validate_ticker(ticker) if ticker is not None else None).items()
    }
    if history:
        for name, kinds in found.items():
            for kind, model in kinds.items():
                model["history"] = list_decisions(registry, name, kind)
    if as_json:
        print(json.dumps(found, indent=2, allow_nan=False))
    else:
        _show(found, Console(highlight=False))


def _show(found: dict[str, dict[str, Any]], console: Console) -> None:
    for name, kinds in found.items():
        for kind, model in kinds.items():
            table = Table(title=f"{name} {kind}", box=None, padding=(0, 1, 0, 0), title_justify="left")
            shown = "in 90 % band" if kind == "lstm" else "ECE"
            for heading in ("version", "alias", "data end", "loss (naive)", "skill", shown, "decision"):
                table.add_column(heading, no_wrap=True)
            for version in model["versions"]:
                table.add_row(*_cells(version))
            console.print(table)
            for line in _decided(model):
                console.print(line, style="dim", soft_wrap=True, markup=False)
    console.print(_LEGEND, style="dim")


def _cells(version: dict[str, Any]) -> list[str]:
    metrics = version["metrics"]
    doubtful = "" if (version["leakage"] or "").startswith("passed") else " !"
    skill = "–" if metrics.get("skill") is None else f"{metrics['skill']:+.1%}"
    shown = metrics.get("coverage", metrics.get("ece"))
    return [
        f"{version['version']}{doubtful}",
        "\n".join(version["aliases"]),
        version["data_end"] or "–",
        f"{_number(metrics['value'])} ({_number(metrics['naive'])})",
        f"{skill} *" if metrics.get("beats_naive") else skill,
        "–" if shown is None else f"{shown:.1%}" if "coverage" in metrics else f"{shown:.3f}",
        version["decision"] or "–",
    ]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _decided(model: dict[str, Any]) -> list[str]:
    """A line for each decision of the history; without it, for the last of each version."""
    if "history" in model:
        return [
            f"{one['at'][:16]} version {one['version']} {one['outcome']} by {one['by']}, "
            f"in Production before: {one['previous'] or 'nothing'}. {one['reason']}"
            for one in model["history"]
        ]
    return [f"version {one['version']}: {one['reason']}" for one in model["versions"] if one["reason"]]
