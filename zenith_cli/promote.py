"""`zenith promote` and `zenith rollback`: the Production alias moved by hand, on the record."""

import json
from typing import Any

from zenith_cli.commands import Model
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.production.champion_challenger import CurrentData
from zenith_pipelines.production.promotion import Refused, promote, roll_back
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.settings import Settings


def promote_version(ticker: str, model: Model, version: int, *, force: bool, reason: str | None, as_json: bool) -> None:
    """Promote a version. Raises UserError or NotAvailable for what cannot be asked, Refused if its gates say no."""
    registry, present = _at_hand(ticker)
    made = promote(registry, model.value, version, present, force=force, reason=reason)
    _print(made, as_json=as_json)
    if not made["promoted"]:
        hint = "" if force else "; --force --reason TEXT overrules all gates but `answers`"
        raise Refused(f"{made['model']} version {version} was not promoted: {made['reason']}{hint}")


def roll_back_model(ticker: str, model: Model, *, reason: str | None, as_json: bool) -> None:
    """Go back to what was in Production before. Raises NotAvailable, or Refused if that version does not answer."""
    registry, present = _at_hand(ticker)
    _print(roll_back(registry, model.value, present, reason=reason), as_json=as_json)


def _at_hand(ticker: str) -> tuple[ModelRegistry, CurrentData]:
    settings, name = Settings(), validate_ticker(ticker)
    present = CurrentData.read(DatasetStore(settings.data_uri), name)
    return ModelRegistry(settings.tracking_uri, settings.artifact_root), present


def _print(made: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(made, indent=2, allow_nan=False))
        return
    for gate in made["gates"]:
        print(f"{'passed ' if gate['passed'] else 'REFUSED'}  {gate['gate']}: {gate['says']}")
    if made["promoted"]:
        before = f"version {made['previous']}" if made["previous"] else "nothing"
        print(f"{made['model']}: version {made['production']} is in Production, before it {before} ({made['outcome']})")
