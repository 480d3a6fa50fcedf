"""Two model versions of a ticker side by side, for `zenith compare`, REST and the page alike."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from zenith_core.errors import UserError
from zenith_serving.errors import UnknownTicker, UnknownVersion, nearby
from zenith_serving.prediction.loaded_model import stored_facts
from zenith_serving.registry.base import ModelRegistry
from zenith_serving.registry.version_listing import list_models, model_history
from zenith_serving.report import facts_of
from zenith_serving.schemas.charts import Backtest
from zenith_serving.schemas.comparisons import ComparedFigure, Group, ModelComparison, Value
from zenith_serving.schemas.registry import Event, ModelVersion

VERSION = r"^[a-z0-9_]{1,40}(/[0-9]{1,9})?$"
"""A version as `lstm/2`, or a kind alone for its version in Production, else its newest."""

_DATA = ("status", "data_end", "data_version", "feature_spec", "code_version", "trials")
_METRICS = ("loss", "value", "naive", "skill", "p_value", "beats_naive", "rows")
_CALIBRATION = ("coverage", "interval_width", "pinball", "pinball_skill", "brier", "log_loss", "ece", "ece_classwise")
_BACKTEST = ("total_return", "annual_return", "volatility", "max_drawdown", "sharpe", "deflated_sharpe", "trades")


def compare_versions(registry: ModelRegistry, data: Path, ticker: str, first: str, second: str) -> ModelComparison:
    """Compare two versions of a validated ticker's models, each named as VERSION says.

    data:  holds a folder for each dataset

    Raises UserError for a text that names no version, UnknownVersion, UnknownTicker, RegistryUnavailable, and
    ModelUnavailable for a broken file.
    """
    listed = list_models(registry, ticker).models
    if not listed:
        tickers = sorted({version.ticker for version in list_models(registry).models})
        raise UnknownTicker(nearby(ticker, tickers), "no models of this ticker")
    versions = (_chosen(listed, first), _chosen(listed, second))
    events = model_history(registry, ticker).events
    backtests = tuple(facts_of(data, f"{version.model_type}_backtest", ticker) for version in versions)
    sides = [
        _figures(version, stored_facts(registry.fetch(version.name, int(version.version))), events, backtest)
        for version, backtest in zip(versions, backtests, strict=True)
    ]
    return ModelComparison(
        ticker=ticker,
        versions=versions,
        figures=list(_beside(*sides)),
        backtests=(_backtest(versions[0], backtests[0]), _backtest(versions[1], backtests[1])),
    )


def _chosen(listed: list[ModelVersion], name: str) -> ModelVersion:
    if not re.fullmatch(VERSION, name):
        raise UserError("a version is a kind, such as lstm, or a kind and a number, such as lstm/2")
    kind, _, number = name.partition("/")
    of_kind = [version for version in listed if version.model_type == kind]
    if not of_kind:
        raise UnknownVersion(f"no model of this kind: there are {', '.join(sorted({v.model_type for v in listed}))}")
    if not number:
        return next((version for version in of_kind if version.status == "production"), of_kind[0])
    for version in of_kind:
        if version.version == number:
            return version
    versions = ", ".join(version.version for version in of_kind)
    raise UnknownVersion(f"no such version of {of_kind[0].name}: there are {versions}")


def _figures(
    version: ModelVersion, facts: Mapping[str, Any], events: list[Event], backtest: Mapping[str, Any]
) -> dict[tuple[Group, str], Value]:
    study, evidence = facts.get("study") or {}, facts.get("evidence") or {}
    figures: dict[tuple[Group, str], Value] = {}

    def add(group: Group, values: Mapping[str, Any], keep: Callable[[str], bool] = lambda name: True) -> None:
        figures.update({(group, name): _plain(value) for name, value in values.items() if keep(name)})

    add("data", version.model_dump(include=set(_DATA), mode="json"))
    add("data", {"libraries": version.libraries})
    add("parameters", study.get("config") or {})
    add("metrics", {name: version.metrics.get(name) for name in _METRICS})
    add("calibration", {**evidence, **version.metrics}, _CALIBRATION.__contains__)
    own = (event for event in events if (event.model_type, event.version) == (version.model_type, version.version))
    gates = next((event.gates for event in own if event.gates), [])
    add("gates", {"decision": version.decision, "reason": version.reason} | {gate.name: gate.passed for gate in gates})
    if _is_of(version, backtest):
        add("backtest", backtest["stats"].get("strategy") or {}, _BACKTEST.__contains__)
    return figures


def _plain(value: Any) -> Value:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _beside(
    first: Mapping[tuple[Group, str], Value], second: Mapping[tuple[Group, str], Value]
) -> Iterator[ComparedFigure]:
    order: tuple[Group, ...] = ("metrics", "calibration", "gates", "backtest", "parameters", "data")
    names = list(dict.fromkeys([*first, *second]))
    for group, name in sorted(names, key=lambda key: order.index(key[0])):  # stable: names keep their order
        values = (first.get((group, name)), second.get((group, name)))
        if values != (None, None):
            yield ComparedFigure(group=group, name=name, values=values, differs=values[0] != values[1])


def _is_of(version: ModelVersion, backtest: Mapping[str, Any]) -> bool:
    return str(backtest.get("model_version")) == version.version and isinstance(backtest.get("stats"), dict)


def _backtest(version: ModelVersion, facts: Mapping[str, Any]) -> Backtest | None:
    names = ("equity", "stats", "config", "model_version")
    if not _is_of(version, facts) or not all(name in facts for name in names):
        return None
    return Backtest.model_validate({name: facts[name] for name in names})
