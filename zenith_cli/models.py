"""`zenith models`: the versions of each model, their metrics and decisions."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from zenith_core.market.tickers import validate_ticker
from zenith_core.model_kinds.table import kinds_of, task_of
from zenith_core.names import HEADLINE_HORIZON
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.version_listing import list_decisions, list_versions
from zenith_pipelines.settings import Settings

_PRICE, _SIGNAL = ", ".join(kinds_of("price")), ", ".join(kinds_of("signal"))
_LEGEND = f"""loss: out of sample, mean absolute error of prices in {HEADLINE_HORIZON} sessions ({_PRICE}) or
Brier score ({_SIGNAL}); naive: the same for the naive forecast on the same rows;
skill: reduction of loss, * if p < 0.05; !: leakage certificate not passed."""


def list_models(ticker: str | None, *, history: bool, as_json: bool) -> None:
    """Print the model versions of one ticker, or of all. Raises NotAvailable or InvalidTicker."""
    settings = Settings()
    registry = ModelRegistry(settings.tracking_uri, settings.artifact_root)
    models: dict[str, dict[str, Any]] = {
        name: {kind: {"versions": versions} for kind, versions in kinds.items()}
        for name, kinds in list_versions(registry, validate_ticker(ticker) if ticker is not None else None).items()
    }
    if history:
        for name, kinds in models.items():
            for kind, model in kinds.items():
                model["history"] = list_decisions(registry, name, kind)
    if as_json:
        print(json.dumps(models, indent=2, allow_nan=False))
    else:
        _show(models, Console(highlight=False, markup=False))


def _show(models: dict[str, dict[str, Any]], console: Console) -> None:
    for name, kinds in models.items():
        for kind, model in kinds.items():
            table = Table(title=f"{name} {kind}", box=None, padding=(0, 1, 0, 0), title_justify="left")
            calibration = "in 90 % band" if task_of(kind) == "price" else "ECE"
            for heading in ("version", "alias", "data end", "loss (naive)", "skill", calibration, "decision"):
                table.add_column(heading, no_wrap=True)
            for version in model["versions"]:
                table.add_row(*_cells(version))
            console.print(table)
            for line in _decision_lines(model):
                console.print(line, style="dim", soft_wrap=True, markup=False)
    console.print(_LEGEND, style="dim")


def _cells(version: dict[str, Any]) -> list[str]:
    metrics = version["metrics"]
    leakage_mark = "" if (version["leakage"] or "").startswith("passed") else " !"
    skill = "–" if metrics.get("skill") is None else f"{metrics['skill']:+.1%}"
    calibration = metrics.get("coverage", metrics.get("ece"))
    return [
        f"{version['version']}{leakage_mark}",
        "\n".join(version["aliases"]),
        version["data_end"] or "–",
        f"{_number(metrics['value'])} ({_number(metrics['naive'])})",
        f"{skill} *" if metrics.get("beats_naive") else skill,
        "–" if calibration is None else f"{calibration:.1%}" if "coverage" in metrics else f"{calibration:.3f}",
        version["decision"] or "–",
    ]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _decision_lines(model: dict[str, Any]) -> list[str]:
    """Return a line per decision of the history. Without history: one for the last decision of each version."""
    if "history" in model:
        return [
            f"{entry['at'][:16]} version {entry['version']} {_verb(entry['outcome'])} by {entry['by']}, "
            f"previously in Production: {entry['previous'] or 'none'}. {entry['reason']}"
            for entry in model["history"]
        ]
    return [f"version {row['version']}: {row['reason']}" for row in model["versions"] if row["reason"]]


def _verb(outcome: str) -> str:
    """Return the outcome as said of its version: a rollback's record is about the version that it restores."""
    return "restored" if outcome == "rolled back" else outcome
