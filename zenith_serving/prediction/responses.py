"""From a forecast to a response body. Pure.

Bodies are dictionaries with the fields of their schema in its order: pydantic would take as long to validate them as
everything else here takes. `tests/serving/prediction/test_predictor.py` compares them with their schemas.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from zenith_core.forecasting.abstention import SignalDecision
from zenith_core.inference import QUANTILES, SIGNALS, PriceForecast
from zenith_core.names import DISCLAIMER
from zenith_core.snapshot import STALE_AFTER_SESSIONS, ServingSnapshot
from zenith_serving.prediction.served_model import ServedModel, SignalForecast

INTERVAL = round(QUANTILES[-1] - QUANTILES[0], 6)  # the level of [lower, upper]
_SKILL_SENTENCES = {
    True: "Out of sample the model was better than guessing from past frequencies.",
    False: "Out of sample the model was no better than guessing from past frequencies.",
    None: "The model's skill out of sample is unknown.",
}


def response_body(model: ServedModel, horizon: int, now: datetime) -> dict[str, Any]:
    """Return a PriceAnswer for a price model, a SignalAnswer for a signal model.

    Raises ModelUnavailable or FeatureMismatch if the model has no forecast from its snapshot.
    """
    forecast = model.forecast
    if isinstance(forecast, PriceForecast):
        return _price_body(model, forecast, horizon, now)
    return _signal_body(model, forecast, now)


def age_in_sessions(snapshot: ServingSnapshot, now: datetime) -> int:
    """Count the sessions of the ticker's exchange that began after the snapshot's origin, up to HORIZONS."""
    today = now.date()
    return sum(session <= today for session in snapshot.next_sessions)


def _price_body(model: ServedModel, forecast: PriceForecast, horizon: int, now: datetime) -> dict[str, Any]:
    skill, coverage = model.skill_at(horizon)
    return {
        **_common(model, skill, now),
        "horizon": horizon,
        "predictions": _points(model.snapshot, forecast, horizon),
        "confidence": INTERVAL,
        "coverage": coverage,
    }


def _signal_body(model: ServedModel, forecast: SignalForecast, now: datetime) -> dict[str, Any]:
    skill, _ = model.skill_at()
    common = _common(model, skill, now)
    decision = forecast.stale if common["stale"] else forecast.fresh
    probabilities = forecast.probabilities
    return {
        **common,
        "signal": decision.signal,
        "likeliest": max(SIGNALS, key=probabilities.__getitem__),
        "confidence": probabilities[decision.signal],
        "probabilities": probabilities,
        "reason_code": decision.reason,
        "reason": _reason(decision, probabilities, skill),
    }


def _common(model: ServedModel, skill: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    snapshot = model.snapshot
    age = age_in_sessions(snapshot, now)
    return {
        "ticker": snapshot.ticker,
        "model_type": model.kind,
        "model_version": str(model.version),
        "current_price": snapshot.close,
        "as_of": snapshot.as_of,
        "currency": snapshot.currency,
        "skill": skill,
        "stale": age > STALE_AFTER_SESSIONS,
        "age_sessions": age,
        "cached": False,
        "timestamp": now,
        "disclaimer": DISCLAIMER,
    }


def _points(snapshot: ServingSnapshot, forecast: PriceForecast, horizon: int) -> list[dict[str, Any]]:
    """Python numbers: numpy is slower for a few rows."""
    prices, quantiles = forecast.price[:horizon].tolist(), forecast.quantiles[:horizon].tolist()
    return [
        {
            "day": day,
            "date": session,
            "price": round(price, 6),
            "change_pct": round(100 * (price / snapshot.close - 1), 4),
            "lower": round(levels[0], 6),
            "upper": round(levels[-1], 6),
        }
        for day, (session, price, levels) in enumerate(zip(snapshot.next_sessions, prices, quantiles, strict=False), 1)
    ]


def _reason(decision: SignalDecision, probabilities: Mapping[str, float], skill: Mapping[str, Any]) -> str:
    shares = ", ".join(f"{name} {probabilities[name]:.0%}" for name in reversed(SIGNALS))
    return f"{decision.text} Probabilities: {shares}. {_SKILL_SENTENCES[skill['beats_naive']]}"
