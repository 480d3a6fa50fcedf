"""Replay a promotion decision: its gates again, from the kept evidence, models and archived prices.

Prices, features and snapshot are rebuilt by today's code from the raw prices that were stored when it was made.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from zenith_core.errors import NotAvailable, UserError, ZenithError
from zenith_core.features.model_features import feature_spec_hash, features
from zenith_core.model_kinds.table import KINDS, known_task
from zenith_core.names import SCALE
from zenith_core.prices.cleaning import data_version
from zenith_core.risk.scale_model import LEAST_TICKERS
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.ingestion.fetch import clean_snapshot
from zenith_pipelines.ingestion.sources.base import RAW_PRICES
from zenith_pipelines.production.champion_challenger import CurrentData, evaluate_gates
from zenith_pipelines.production.serving_snapshot import make_snapshot
from zenith_pipelines.registry.decision_log import DecisionRecord, decision_history
from zenith_pipelines.registry.model_registry import ModelRegistry, Version

_TOLERANCE = 1e-9  # relative; the same arithmetic on another machine differs by less
_FORMS = "MODEL, MODEL/VERSION or MODEL@TIME, for example lstm-AAPL/3"  # scale is a model too


@dataclass(frozen=True)
class DecisionReplay:
    """A decision and its gates again.

    gates:    JSON-ready as in the record, each with `same`: verdict and figures are those of the record
    missing:  the reasons why it cannot be replayed; then there are no gates
    """

    name: str
    record: DecisionRecord
    gates: Sequence[Mapping[str, Any]]
    missing: Sequence[str]

    @property
    def is_same(self) -> bool:
        """True if every gate of the record has its verdict and figures again, and there is no other gate."""
        names = [gate["gate"] for gate in self.record.gates]
        return [gate["gate"] for gate in self.gates] == names and all(gate["same"] for gate in self.gates)


def find_decision(registry: ModelRegistry, text: str) -> tuple[str, DecisionRecord]:
    """Return the model's name and the decision of `lstm-AAPL` or `scale` (its last), `lstm-AAPL/3` (the last on
    version 3), or `lstm-AAPL@2026-11-30T02:00` (the one whose time begins so).

    Raises UserError for another form or an ambiguous time, NotAvailable if there is none.
    """
    name, _, moment = text.partition("@")
    name, _, number = name.partition("/")
    kind, _, ticker = name.partition("-")
    is_model = name == SCALE or (kind in KINDS and ticker)
    if not is_model or (number and not number.isdecimal()) or (number and moment):
        raise UserError(f"{text[:60]!r} is no decision; expected {_FORMS}")
    history = decision_history(registry, name) if registry.exists else []
    if not history:
        if name == SCALE:
            raise NotAvailable(
                "no decision about the scale yet: "
                f"`zenith job learn_scale` makes the first, from {LEAST_TICKERS} tickers or more"
            )
        raise NotAvailable(f"no decision about {name} yet: `zenith run --tickers {ticker}` makes the first")
    decisions = [one for one in history if one.at.startswith(moment) and (not number or one.version == int(number))]
    if not decisions:
        if name == SCALE:
            raise NotAvailable(f"no such decision about the scale: the last is {history[-1].at}")
        raise NotAvailable(f"no such decision about {name}: `zenith models {ticker} --history` lists them")
    if moment and len(decisions) > 1:
        raise UserError(f"{len(decisions)} decisions about {name} begin with {moment}: {decisions[0].at}, …")
    return name, decisions[-1]


def replay_decision(registry: ModelRegistry, store: DatasetStore, name: str, record: DecisionRecord) -> DecisionReplay:
    """Evaluate the gates of a decision again. A decision without gates, such as a rollback, has none again."""
    if not record.gates:
        return DecisionReplay(name, record, (), ())
    kind, _, ticker = name.partition("-")
    candidate, champion, missing = _versions(registry, name, record)
    try:
        current = data_at(store, ticker, record.at, candidate.window) if candidate else None
    except ZenithError as error:
        return DecisionReplay(name, record, (), (*missing, str(error)))
    if candidate is None or current is None or missing:
        return DecisionReplay(name, record, (), missing)
    spec = candidate.tags.get("feature_spec")
    if spec != current.snapshot.feature_spec:
        missing.append(f"the inputs of feature spec {spec}: this release computes {current.snapshot.feature_spec}")
        return DecisionReplay(name, record, (), missing)
    decision = evaluate_gates(registry, known_task(kind), candidate, champion, current)
    return DecisionReplay(name, record, compare_gates(record.gates, [gate.to_json() for gate in decision.gates]), ())


def compare_gates(record: Sequence[Mapping[str, Any]], again: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the gates of `again`, each with `same`: the record has it with the same verdict and figures."""
    by_name = {gate["gate"]: gate for gate in record}
    return [{**gate, "same": gate["gate"] in by_name and _same(gate, by_name[gate["gate"]])} for gate in again]


def data_at(store: DatasetStore, ticker: str, moment: str, window: int) -> CurrentData:
    """Rebuild a ticker's snapshot and features from the newest raw prices that were fetched before `moment`, ISO.

    Raises NotAvailable if there are none.
    """
    prices = prices_at(store, ticker, moment)
    cleaned = Dataset({"prices": prices}, {"data_version": data_version(prices)})
    indicators = Dataset({"features": features(prices)}, {"feature_spec": feature_spec_hash()})
    return CurrentData(make_snapshot(ticker, cleaned, indicators, window=window), indicators.table)


def prices_at(store: DatasetStore, ticker: str, moment: str) -> pd.DataFrame:
    """Clean the newest raw prices of a ticker that were fetched before `moment`, ISO.

    Raises NotAvailable if there are none.
    """
    for stamp in reversed(store.stamps(RAW_PRICES, ticker)):
        fetched_at = store.facts(RAW_PRICES, ticker, stamp=stamp)["fetched_at"]
        if datetime.fromisoformat(fetched_at) <= datetime.fromisoformat(moment):
            return clean_snapshot(store.read(RAW_PRICES, ticker, stamp=stamp), ticker).prices
    raise NotAvailable(f"raw prices of {ticker} that were fetched before {moment[:16]}")


def _versions(
    registry: ModelRegistry, name: str, record: DecisionRecord
) -> tuple[Version | None, Version | None, list[str]]:
    """Return candidate and champion as far as they are kept, and the reasons why they are not."""
    missing: list[str] = []
    candidate = kept_version(registry, name, record.version, missing)
    champion = kept_version(registry, name, record.previous, missing) if record.previous else None
    says = " ".join(str(gate["says"]) for gate in record.gates)
    if candidate and "no out-of-sample forecasts" not in says:
        _require_evidence(registry, candidate, missing)
    if champion and "own evidence is gone" not in says:
        _require_evidence(registry, champion, missing)
    return candidate, champion, missing


def kept_version(registry: ModelRegistry, name: str, version: int, missing: list[str]) -> Version | None:
    """Return a version, or None and its reason in `missing` if it was deleted."""
    try:
        return registry.version(name, version)
    except NotAvailable:
        missing.append(f"{name} version {version}: it was deleted")
        return None


def _require_evidence(registry: ModelRegistry, version: Version, missing: list[str]) -> None:
    try:
        registry.file(version.name, version.version, "evidence.parquet")
    except Exception:  # each of MLflow's artifact stores raises its own error for a missing file
        missing.append(f"evidence.parquet of {version.name} version {version.version}")


def _same(one: Any, other: Any) -> bool:
    """Compare JSON values, numbers up to _TOLERANCE. The sentence of a gate follows from its figures."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = (one.keys() | other.keys()) - {"says"}
        return all(key in one and key in other and _same(one[key], other[key]) for key in keys)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=1e-12)
    return bool(one == other)
