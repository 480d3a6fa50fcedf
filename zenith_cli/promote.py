"""`zenith promote` and `zenith rollback`: move the Production alias by hand, and record the decision."""

import json
from typing import Any

from zenith_cli.options import Model
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.production.champion_challenger import CurrentData
from zenith_pipelines.production.promotion import Refused, promote, roll_back
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.settings import Settings


def promote_version(ticker: str, model: Model, version: int, *, force: bool, reason: str | None, as_json: bool) -> None:
    """Promote a version. Raises UserError or NotAvailable for an invalid request, Refused if its gates fail."""
    registry, current = _open_registry(ticker)
    result = promote(registry, model.value, version, current, force=force, reason=reason)
    _print(result, as_json=as_json)
    if not result["promoted"]:
        hint = "" if force else "; --force --reason TEXT overrules every gate except `answers`"
        raise Refused(f"{result['model']} version {version} was not promoted: {result['reason']}{hint}")


def roll_back_model(ticker: str, model: Model, *, reason: str | None, as_json: bool) -> None:
    """Restore the previous Production version. Raises NotAvailable, or Refused if that version cannot forecast."""
    registry, current = _open_registry(ticker)
    _print(roll_back(registry, model.value, current, reason=reason), as_json=as_json)


def _open_registry(ticker: str) -> tuple[ModelRegistry, CurrentData]:
    settings, name = Settings(), validate_ticker(ticker)
    current = CurrentData.read(DatasetStore(settings.data_uri), name)
    return ModelRegistry(settings.tracking_uri, settings.artifact_root), current


def _print(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result, indent=2, allow_nan=False))
        return
    for gate in result["gates"]:
        print(f"{'passed ' if gate['passed'] else 'REFUSED'}  {gate['gate']}: {gate['says']}")
    if result["promoted"]:
        previous = f"version {result['previous']}" if result["previous"] else "none"
        change = f"version {result['production']} is now in Production ({result['outcome']}), previously {previous}"
        print(f"{result['model']}: {change}")
