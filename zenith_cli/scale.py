"""`zenith scale`: the versions of the scale of all tickers, its rollback, and the priors that ship with the package."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from zenith_core.evaluation.scale_scores import SCORED
from zenith_core.names import SCALE, last_decision
from zenith_core.risk.scale_model import LEAST_TICKERS
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.datasets.atomic_files import write_atomically
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.registry.decision_log import decision_history
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.risk.distributions import renew_distributions
from zenith_pipelines.risk.scale_prior import document_of, make_priors, priors, read_histories
from zenith_pipelines.risk.scale_versions import roll_back_scale
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import known_tickers

_LEGEND = """skill: reduction of the pinball loss beside EWMA volatility, on the year after the judged twin's training;
coverage: of the 90 % band at 1, 5 and 20 sessions on the same rows."""


def show_scale(*, as_json: bool) -> None:
    """Print the versions of the scale, the decisions about them, and the newest packaged prior."""
    settings = Settings()
    registry = ModelRegistry(settings.tracking_uri, settings.artifact_root)
    versions = _versions(registry) if registry.exists else []
    decisions = [asdict(one) for one in decision_history(registry, SCALE)] if versions else []
    document = {"prior": priors()[-1].version, "versions": versions, "history": decisions}
    if as_json:
        print(json.dumps(document, indent=2, allow_nan=False))
    else:
        _show(document, Console(highlight=False, markup=False))


def roll_back(*, reason: str | None, as_json: bool) -> None:
    """Restore the previous scale, and compute all served distributions again. Raises NotAvailable or Refused."""
    settings = Settings()
    registry = ModelRegistry(settings.tracking_uri, settings.artifact_root)
    result = roll_back_scale(registry, reason=reason)
    with open_instance(settings) as instance:
        tickers = known_tickers(instance)
    served = renew_distributions(DatasetStore(settings.data_uri), registry, tickers)
    if as_json:
        print(json.dumps({**result, "renewed": served}, indent=2, allow_nan=False))
        return
    print(f"scale: version {result['production']} is now in Production, previously version {result['previous']}")
    print(f"distributions computed again: {', '.join(served) or 'none'}")


def make_prior(folder: Path, output: Path, *, as_json: bool) -> None:
    """Learn a scale for each year end from a folder of price files, and write coefficients and error quantiles.

    Raises UserError for a file that cannot be read, or too few prices.
    """
    models = make_priors(read_histories(folder))
    write_atomically(output, (json.dumps(document_of(models), allow_nan=False) + "\n").encode())
    facts = [{key: getattr(one, key) for key in ("version", "data_end", "tickers", "rows")} for one in models]
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for model in models:
        print(f"{model.version}: {model.rows} sessions of {model.tickers} tickers until {model.data_end}")
    print(f"written to {output}")


def _versions(registry: ModelRegistry) -> list[dict[str, Any]]:
    aliases = registry.aliases(SCALE)
    return [
        {
            "version": version.version,
            "aliases": sorted(alias for alias, number in aliases.items() if number == version.version),
            "data_end": version.data_end,
            "decision": last_decision(version.tags),
            "reason": version.tags.get("reason"),
            "metrics": dict(registry.metrics(SCALE, version.version)),
        }
        for version in registry.versions(SCALE)
    ]


def _show(document: dict[str, Any], console: Console) -> None:
    if not document["versions"]:
        console.print(
            f"no scale of this home yet, {document['prior']} serves: "
            f"`zenith job learn_scale` learns one, from {LEAST_TICKERS} tickers or more"
        )
        return
    table = Table(title=SCALE, box=None, padding=(0, 1, 0, 0), title_justify="left")
    for heading in ("version", "alias", "data end", "skill", "coverage", "decision"):
        table.add_column(heading, no_wrap=True)
    for version in document["versions"]:
        metrics = version["metrics"]
        coverage = ", ".join(f"{metrics[key]:.1%}" for h in SCORED if (key := f"coverage_{h}") in metrics) or "–"
        skill = f"{metrics['skill']:+.1%}" if "skill" in metrics else "–"
        cells = (str(version["version"]), "\n".join(version["aliases"]), version["data_end"], skill, coverage)
        table.add_row(*cells, version["decision"] or "–")
    console.print(table)
    for entry in document["history"]:
        line = f"{entry['at'][:16]} version {entry['version']} {entry['outcome']} by {entry['by']}. {entry['reason']}"
        console.print(line, style="dim", soft_wrap=True)
    console.print(_LEGEND, style="dim")
