"""The refresh of a ticker within the step of another run, which has many tickers: the same assets and checks.

Dagster's own steps, 21 for a ticker, cost more CPU than their work. Here the functions of the assets and checks
are called one after the other, and each dataset that was stored is recorded as a materialization of its ticker. A check
is recorded if it did not pass, if it did not pass the time before, and after each new leakage certificate, which is
once a week.

In scope: which functions, in which order, and their records. Their work belongs to the assets.
"""

import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_IS_USER_PROVIDED_TAG, DATA_VERSION_TAG

from zenith_core import names
from zenith_core.asset_selection import REFRESH_ASSETS
from zenith_core.errors import NotAvailable
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.defs import checks
from zenith_pipelines.defs.assets import features, prices, production
from zenith_pipelines.defs.metadata import page_links
from zenith_pipelines.defs.resources import KEEP_HISTORY, ZenithResource, store_dataset
from zenith_pipelines.tickers import require_ticker

CHECKS_NOT_PASSED = "refresh_checks"  # the dataset that holds the checks that did not pass in the last refresh

_ASSETS: Mapping[str, dg.AssetsDefinition] = {
    "raw_prices": prices.raw_prices,
    "cleaned_prices": prices.cleaned_prices,
    "indicator_features": features.indicator_features,
    "serving_snapshot": production.serving_snapshot,
    "forecast_ledger": production.forecast_ledger,
}
Check = tuple[bool, Callable[..., dg.AssetCheckResult]]
"""True if the check is blocking, and its function."""

FAILED, SKIPPED = "failed: ", "skipped: "
"""The beginnings of an outcome, before its reason."""

_UNRECORDED = ("dagster/column_schema",)  # metadata that is the same every night


@dataclass(frozen=True)
class _TickerContext:
    """The part of a context that the functions of assets and checks read."""

    partition_key: str
    instance: dg.DagsterInstance
    run: dg.DagsterRun

    @property
    def run_id(self) -> str:
        return self.run.run_id


def refresh_ticker(context: dg.OpExecutionContext, zenith: ZenithResource, ticker: str) -> str:
    """Refresh one ticker; return "ok", or why it was skipped, or the blocking check that it failed.

    A ticker without a forecast ledger has nothing in Production, so none is begun. Raises the errors of the assets.
    """
    ticker = require_ticker(context.instance, ticker)
    return _Refresh(context, zenith, ticker).run()


class _Refresh:
    """One refresh of one ticker."""

    def __init__(self, context: dg.OpExecutionContext, zenith: ZenithResource, ticker: str) -> None:
        self._context, self._zenith, self._store, self._ticker = context, zenith, zenith.store, ticker
        self._arguments: dict[str, Any] = {
            "context": _TickerContext(ticker, context.instance, context.run),
            "zenith": zenith,
        }
        self._not_passed: list[str] = []
        self._last_state: dict[str, Any] = {}
        if self._store.exists(CHECKS_NOT_PASSED, ticker):
            self._last_state = self._store.facts(CHECKS_NOT_PASSED, ticker)
        self._certificate = self._certificate_date()

    def run(self) -> str:
        """Make the assets in turn, until one skips the ticker or a blocking check fails; return the outcome."""
        assets = REFRESH_ASSETS if self._store.exists("forecast_ledger", self._ticker) else REFRESH_ASSETS[:-1]
        try:
            for name in assets:
                if reason := self._make(name):
                    return f"{SKIPPED}{reason}"
                if problem := self._check(name):
                    return f"{FAILED}{problem}"
        finally:
            state = {"not_passed": sorted(self._not_passed), "certificate": self._certificate_date()}
            if state != self._last_state:
                self._store.write(CHECKS_NOT_PASSED, self._ticker, Dataset(facts=state))
        return "ok"

    def _make(self, name: str) -> str | None:
        """Make, store and record one asset; return the reason if it skips the ticker."""
        asset = _ASSETS[name]
        result = _retried(lambda: _result(_call(_body(asset), self._arguments)))
        if isinstance(result, dg.AssetObservation):
            self._context.log_event(result)
            return str(result.metadata[names.SKIPPED].value)
        if isinstance(result.value, Dataset):
            keep = bool(asset.metadata_by_key[asset.key].get(KEEP_HISTORY))
            store_dataset(self._zenith, self._context.instance, name, self._ticker, result.value, keep_history=keep)
        self._arguments[name] = self._store.read(name, self._ticker)
        version = {}
        if result.data_version:
            version = {DATA_VERSION_TAG: result.data_version.value, DATA_VERSION_IS_USER_PROVIDED_TAG: "true"}
        metadata = {key: value for key, value in (result.metadata or {}).items() if key not in _UNRECORDED}
        metadata |= page_links(self._zenith.settings, self._ticker)
        self._context.log_event(
            dg.AssetMaterialization(name, partition=self._ticker, metadata=metadata, tags=version or None)
        )
        return None

    def _check(self, name: str) -> str | None:
        """Evaluate the checks of an asset; return the first blocking one that failed, with its description."""
        problem = None
        is_whole = not self._last_state or self._certificate_date() != self._last_state["certificate"]
        for check_name, (is_blocking, function) in _checks()[name].items():
            result = _call(function, {**self._arguments, "dataset": self._arguments[name]})
            label = f"{name}: check {check_name}"
            if not result.passed:
                self._not_passed.append(label)
                if is_blocking and result.severity is dg.AssetCheckSeverity.ERROR:
                    problem = problem or f"{label}: {result.description}"
            if is_whole or not result.passed or label in self._last_state.get("not_passed", ()):
                self._record(name, check_name, result, is_blocking=is_blocking)
        return problem

    def _record(self, name: str, check_name: str, result: dg.AssetCheckResult, *, is_blocking: bool) -> None:
        evaluation = dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(name),
            check_name=check_name,
            passed=result.passed,
            metadata=result.metadata,
            severity=result.severity,
            description=result.description,
            blocking=is_blocking,
            partition=self._ticker,
        )
        self._context.log_event(evaluation)  # type: ignore[arg-type]  # it takes one; its annotation is behind

    def _certificate_date(self) -> str | None:
        try:
            leakage = self._store.facts("indicator_features", self._ticker).get("leakage", {})
        except NotAvailable:
            return None
        date: str | None = leakage.get("checked_at")
        return date


def _retried(work: Callable[[], Any]) -> Any:
    """Call `work` again, as often and after as long as it requests."""
    attempts = 0
    while True:
        try:
            return work()
        except dg.RetryRequested as request:
            if attempts >= request.max_retries:
                raise (request.__cause__ or request) from None
            attempts += 1
            time.sleep(request.seconds_to_wait or 0)


@cache
def _checks() -> dict[str, dict[str, Check]]:
    """Return the checks of each asset by name."""
    by_asset: dict[str, dict[str, Check]] = {name: {} for name in REFRESH_ASSETS}
    for definition in dg.load_asset_checks_from_modules([checks]):
        (spec,) = definition.check_specs
        name = spec.asset_key.to_user_string()
        if name in by_asset:
            by_asset[name][spec.name] = (spec.blocking, _body(definition))
    return by_asset


def _body(definition: dg.AssetsDefinition) -> Callable[..., Any]:
    """Return the decorated function of an asset or check."""
    function: Callable[..., Any] = definition.op.compute_fn.decorated_fn  # type: ignore[union-attr]
    return function


def _result(answer: Any) -> Any:
    """Return what an asset yields or returns: its result, or the observation by which it skips the ticker."""
    return next(answer) if isinstance(answer, Iterator) else answer


def _call(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Call the function with those `arguments` that are its parameters, and with the defaults of its run config."""
    parameters = inspect.signature(function).parameters
    values = {name: arguments[name] for name in parameters if name in arguments}
    if "config" in parameters:
        values["config"] = parameters["config"].annotation()
    return function(**values)
