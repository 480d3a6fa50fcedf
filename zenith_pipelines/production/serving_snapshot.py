"""Build the serving snapshot of a ticker, and the latest forecast of its Production models."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.errors import CorruptData, NotAvailable
from zenith_core.features.model_features import FEATURES, feature_spec, feature_spec_hash, features, inputs_of
from zenith_core.forecasting.abstention import SignalDecision, decide_latest_signal
from zenith_core.inference import HORIZONS, PriceForecast, forecast_prices, in_served_bands, signal_probabilities
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.listing import described
from zenith_core.market.sessions import calendar_end, next_sessions
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.options import DEFAULT_WINDOW, horizon_of
from zenith_core.model_kinds.table import KINDS, Kind
from zenith_core.names import SIGNALS, model_name
from zenith_core.prices.standstill import moving_sessions
from zenith_core.risk.forecast_distribution import ForecastDistribution
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.datasets.other_prices import other_prices
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.models.onnx_artifact import metadata, onnx_run
from zenith_pipelines.production.chart_data import candles
from zenith_pipelines.registry.model_registry import ModelRegistry, Version

DECLARATIONS = "feature_declarations"  # the fact that holds the declaration of each feature spec in the snapshot
MOVING_SESSIONS = "moving_sessions"  # the fact that holds the number of sessions in which the price did not stand still
_RECENT = 250  # sessions of closes for a chart, about a year


def snapshot_facts(
    store: DatasetStore,
    registry: ModelRegistry,
    ticker: str,
    cleaned: Dataset,
    indicators: Dataset,
    window: int = DEFAULT_WINDOW,
) -> dict[str, Any]:
    """Return the facts of the next `serving_snapshot`: the snapshot, its feature declarations, and candles.

    window:  sessions of inputs to hold, at least as many as the stored snapshot: a model in use may see them

    Models trained before the feature spec changed are still served: the snapshot keeps the other specs of the stored
    one that registered versions use. A spec is computed from the new prices as long as this code has its formulas.
    Otherwise Production's keeps its last inputs, with their own `as_of`.
    Raises NonFiniteInput if a model input is not a number.
    """
    previous = _stored_facts(store, ticker)
    window = max(window, len(previous.get("window", ())))
    snapshot = make_snapshot(ticker, cleaned, indicators, window=window)
    declarations = {**previous.get(DECLARATIONS, {}), feature_spec_hash(): feature_spec()}
    others = _other_specs(store, registry, snapshot, cleaned, _by_spec(previous), declarations)
    specs = {snapshot.feature_spec, *others} & set(declarations)
    return {
        **replace(snapshot, other_specs=others).to_json(),
        DECLARATIONS: {spec: declarations[spec] for spec in sorted(specs)},
        "candles": candles(cleaned.tables["prices"]),
        MOVING_SESSIONS: moving_sessions(cleaned.tables["prices"]["close"]),
    }


def make_snapshot(
    ticker: str,
    cleaned: Dataset,
    indicators: Dataset,
    inputs: Sequence[str] = FEATURES,
    *,
    window: int = DEFAULT_WINDOW,
) -> ServingSnapshot:
    """Return the model inputs at the last session of the data, without those of other feature specs."""
    table = indicators.table
    exchange = exchange_of(ticker)
    as_of = table.index[-1].date()
    following = next_sessions(exchange, as_of, HORIZONS)
    end = calendar_end(exchange)
    closes = cleaned.tables["prices"]["close"].iloc[-_RECENT:]
    return ServingSnapshot(
        ticker=ticker,
        data_version=cleaned.facts["data_version"],
        feature_spec=indicators.facts["feature_spec"],
        as_of=as_of,
        close=float(table["close"].iloc[-1]),
        currency=cleaned.facts.get("currency") or exchange.currency,
        volatility=float(table["volatility"].iloc[-1]),
        window=table[list(inputs)].iloc[-window:].to_numpy(dtype=np.float32),
        next_sessions=tuple(following),
        calendar_end=end if end and end < following[-1] else None,
        listing=described(ticker, cleaned.facts.get("listing", {})),
        recent=tuple(zip(pd.DatetimeIndex(closes.index).date, closes.tolist(), strict=True)),
    )


def served_until(store: DatasetStore, ticker: str) -> str | None:
    """Return the last session of the data that are served, ISO, or None if none are."""
    as_of = _stored_facts(store, ticker).get("as_of")
    return str(as_of) if as_of else None


def _stored_facts(store: DatasetStore, ticker: str) -> dict[str, Any]:
    with suppress(NotAvailable, CorruptData):
        return store.facts("serving_snapshot", ticker)
    return {}


def _by_spec(facts: Mapping[str, Any]) -> dict[str, ServingSnapshot]:
    """Return the stored snapshots by feature spec; none if a release too old for this code wrote the facts."""
    with suppress(KeyError, TypeError, ValueError):
        snapshot = ServingSnapshot.from_json(dict(facts))
        return {snapshot.feature_spec: replace(snapshot, other_specs={}), **snapshot.other_specs}
    return {}


def _other_specs(
    store: DatasetStore,
    registry: ModelRegistry,
    snapshot: ServingSnapshot,
    cleaned: Dataset,
    previous: Mapping[str, ServingSnapshot],
    declarations: Mapping[str, Any],
) -> dict[str, ServingSnapshot]:
    specs = [spec for spec in previous if spec != snapshot.feature_spec]
    if not specs or not registry.exists:
        return {}
    names = [model_name(kind, snapshot.ticker) for kind in KINDS]
    registered_specs = {version.tags.get("feature_spec") for name in names for version in registry.versions(name)}
    production_specs = {version.tags.get("feature_spec") for name in names if (version := registry.production(name))}
    others = {}
    for spec in specs:
        if spec in registered_specs and (
            other := _compute_spec(store, snapshot.ticker, spec, cleaned, declarations.get(spec), len(snapshot.window))
        ):
            others[spec] = other
        elif spec in production_specs:
            others[spec] = previous[spec]
    return others


def _compute_spec(
    store: DatasetStore, ticker: str, spec: str, cleaned: Dataset, declaration: Mapping[str, Any] | None, window: int
) -> ServingSnapshot | None:
    """Return the snapshot of another feature spec, or None if this code cannot compute its inputs."""
    if declaration is None or (inputs := inputs_of(declaration)) is None:
        return None
    prices = cleaned.tables["prices"]
    try:
        others = other_prices(store, ticker, pd.DatetimeIndex(prices.index), inputs)
    except NotAvailable:
        return None
    table = features(prices, inputs, others)
    return make_snapshot(
        ticker, cleaned, Dataset({"features": table}, {"feature_spec": spec}), [i.name for i in inputs], window=window
    )


@dataclass(frozen=True)
class LatestForecast:
    """The forecasts of the Production models that answer each task.

    snapshot:  the one that the price forecast was made from
    horizon:   of the price model, in sessions
    versions:  of the models, by kind
    signal:    as the ledger keeps it; None for a model that does not say what its labels mean
    bands:     the distribution behind the bands of the forecast; None if they are the model's own
    """

    snapshot: ServingSnapshot
    forecast: PriceForecast
    probabilities: dict[str, float]
    decision: SignalDecision
    horizon: int
    price_kind: Kind
    price_version: int
    versions: Mapping[Kind, int]
    signal: Mapping[str, Any] | None = None
    bands: ForecastDistribution | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """Return a JSON-ready summary at the price model's horizon."""
        at = self.horizon - 1
        return {
            "horizon": self.horizon,
            "forecast": float(self.forecast.price[at]),
            "lower": float(self.forecast.lower[at]),
            "upper": float(self.forecast.upper[at]),
            "signal": self.decision.signal,
            "probability": self.probabilities[self.decision.signal],
            "reason": self.decision.reason,
            "probabilities": self.probabilities,
            **{f"{kind}_version": version for kind, version in self.versions.items()},
        }


def latest_forecast(registry: ModelRegistry, snapshot: ServingSnapshot) -> LatestForecast:
    """Run the Production models that answer each task on the snapshot, as serving does until the data are stale.

    Raises NotAvailable if a model is missing, needs inputs that the snapshot lacks, was trained on later prices, or
    does not state its training limits.
    """
    answering = ANSWERS.of(snapshot.ticker)
    price, price_snapshot = _production(registry, answering["price"], snapshot)
    signal, signal_snapshot = _production(registry, answering["signal"], snapshot)
    onnx = registry.load(signal.name, signal.version)
    probabilities = signal_probabilities(onnx_run(onnx), signal_snapshot)
    forecast = forecast_prices(onnx_run(registry.load(price.name, price.version)), price_snapshot, price.window)
    bands = snapshot.distribution_from(price_snapshot.as_of)
    return LatestForecast(
        snapshot=price_snapshot,
        forecast=in_served_bands(forecast, bands, price_snapshot.close),
        probabilities=probabilities,
        decision=decide_latest_signal(probabilities, signal_snapshot, metadata(onnx), stale=False),
        horizon=price.horizon,
        price_kind=answering["price"],
        price_version=price.version,
        versions={answering["price"]: price.version, answering["signal"]: signal.version},
        signal=_signal_entry(answering["signal"], signal, signal_snapshot, probabilities, metadata(onnx)),
        bands=bands,
    )


def _signal_entry(
    kind: Kind,
    version: Version,
    snapshot: ServingSnapshot,
    probabilities: Mapping[str, float],
    facts: Mapping[str, Any],
) -> dict[str, Any] | None:
    """Return the signal as the ledger keeps it, JSON-ready; None for a model that does not say what its labels mean."""
    threshold, horizon = facts["study"].get("config", {}).get("threshold"), horizon_of(facts)
    if threshold is None:
        return None
    base_rates = dict(zip(SIGNALS, facts["study"]["limits"]["base_rates"], strict=True))
    return {
        "origin": snapshot.as_of.isoformat(),
        "target_date": snapshot.next_sessions[horizon - 1].isoformat(),
        "horizon": horizon,
        "model_type": kind,
        "model_version": version.version,
        **{name: float(probabilities[name]) for name in SIGNALS},
        "frequency": base_rates["buy"] / (base_rates["buy"] + base_rates["sell"]),
        "move": threshold * snapshot.volatility * horizon**0.5,
    }


def _production(registry: ModelRegistry, kind: Kind, snapshot: ServingSnapshot) -> tuple[Version, ServingSnapshot]:
    """Return the Production version and the snapshot of its feature spec."""
    version = registry.require_production(model_name(kind, snapshot.ticker))
    own = snapshot.for_spec(version.tags["feature_spec"])
    if own is None:
        raise NotAvailable(
            f"{version.name} version {version.version} in Production was trained on features "
            f"{version.tags['feature_spec']}, the snapshot holds {snapshot.feature_spec}: "
            f"`zenith run --tickers {snapshot.ticker}` trains it again"
        )
    if version.tags["data_end"] > own.as_of.isoformat():
        raise NotAvailable(
            f"{version.name} version {version.version} in Production has seen prices up to {version.tags['data_end']}, "
            f"these data end on {own.as_of}: use another ZENITH_HOME for other prices of the same ticker"
        )
    return version, own
