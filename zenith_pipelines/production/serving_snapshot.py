"""What will be served, made and looked at on the pipelines' side: the snapshot, and the latest answer."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.errors import NotAvailable
from zenith_core.evaluation.metrics import HEADLINE_HORIZON
from zenith_core.features.model_features import FEATURES
from zenith_core.forecasting.abstention import Decision, decide_latest
from zenith_core.inference import HORIZONS, PriceForecast, forecast_prices, signal_probabilities
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import next_sessions
from zenith_core.names import KINDS, model_name
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.models.lstm import LSTMConfig
from zenith_pipelines.models.onnx_artifact import metadata, onnx_run
from zenith_pipelines.registry.model_registry import ModelRegistry, Version

_RECENT = 250  # sessions of closes that a chart shows, about a year


def make_snapshot(ticker: str, cleaned: Dataset, features: Dataset) -> ServingSnapshot:
    """The model inputs at the last session of the data. Raises NonFiniteInput if one of them is not a number."""
    table = features.table
    exchange = exchange_of(ticker)
    as_of = table.index[-1].date()
    closes = cleaned.tables["prices"]["close"].iloc[-_RECENT:]
    return ServingSnapshot(
        ticker=ticker,
        data_version=cleaned.facts["data_version"],
        feature_spec=features.facts["feature_spec"],
        as_of=as_of,
        close=float(table["close"].iloc[-1]),
        currency=exchange.currency,
        volatility=float(table["volatility"].iloc[-1]),
        window=table[list(FEATURES)].iloc[-LSTMConfig().window :].to_numpy(dtype=np.float32),
        next_sessions=tuple(next_sessions(exchange, as_of, HORIZONS)),
        recent=tuple(zip(pd.DatetimeIndex(closes.index).date, closes.tolist(), strict=True)),
    )


@dataclass(frozen=True)
class Answer:
    """What the models in Production say from a snapshot."""

    forecast: PriceForecast
    probabilities: dict[str, float]
    decision: Decision
    lstm_version: int
    ensemble_version: int

    @property
    def facts(self) -> dict[str, Any]:
        """The answer in a few JSON-ready figures."""
        at = HEADLINE_HORIZON - 1
        return {
            "horizon": HEADLINE_HORIZON,
            "forecast": float(self.forecast.price[at]),
            "lower": float(self.forecast.lower[at]),
            "upper": float(self.forecast.upper[at]),
            "signal": self.decision.signal,
            "probability": self.probabilities[self.decision.signal],
            "reason": self.decision.reason,
            "lstm_version": self.lstm_version,
            "ensemble_version": self.ensemble_version,
        }


def latest_answer(registry: ModelRegistry, snapshot: ServingSnapshot) -> Answer:
    """Ask both Production models what they say of the snapshot's session, as serving does until the data are stale.

    Raises NotAvailable if one of them is missing, knows the snapshot's future or does not know its limits.
    """
    lstm, ensemble = (_production(registry, kind, snapshot) for kind in KINDS)
    onnx = registry.load(ensemble.name, ensemble.version)
    probabilities = signal_probabilities(onnx_run(onnx), snapshot)
    return Answer(
        forecast=forecast_prices(onnx_run(registry.load(lstm.name, lstm.version)), snapshot),
        probabilities=probabilities,
        decision=decide_latest(probabilities, snapshot, metadata(onnx), stale=False),
        lstm_version=lstm.version,
        ensemble_version=ensemble.version,
    )


def _production(registry: ModelRegistry, kind: str, snapshot: ServingSnapshot) -> Version:
    version = registry.require_production(model_name(kind, snapshot.ticker))
    if version.tags["data_end"] > snapshot.as_of.isoformat():
        raise NotAvailable(
            f"{version.name} version {version.version} in Production has seen prices up to {version.tags['data_end']}, "
            f"these data end on {snapshot.as_of}: use another ZENITH_HOME for other prices of the same ticker"
        )
    return version
