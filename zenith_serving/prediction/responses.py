"""What is answered from one snapshot with one model. Pure.

Answers are dictionaries, with the fields of their schema in its order: pydantic would take as long to validate ours as
everything here but the model does. `tests/serving/prediction/test_predictor.py` holds them to their schemas.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from zenith_core.disclaimer import DISCLAIMER
from zenith_core.errors import NotAvailable
from zenith_core.forecasting.abstention import SignalDecision, decide_latest_signal
from zenith_core.inference import QUANTILES, SIGNALS, PriceForecast
from zenith_core.snapshot import STALE_AFTER_SESSIONS, ServingSnapshot
from zenith_serving.errors import ModelUnavailable
from zenith_serving.prediction.loaded_model import ServedModel

INTERVAL = round(QUANTILES[-1] - QUANTILES[0], 6)  # the level of [lower, upper]
_WORTH = {
    True: "Out of sample the model was better than guessing from past frequencies.",
    False: "Out of sample the model was no better than guessing from past frequencies.",
    None: "What the model is worth out of sample is not known.",
}


def price_answer(
    snapshot: ServingSnapshot, model: ServedModel, forecast: PriceForecast, horizon: int, now: datetime
) -> dict[str, Any]:
    """A PriceAnswer from what the model forecast. Raises ModelUnavailable if that holds NaN or infinity."""
    if not math.isfinite(forecast.price.sum() + forecast.quantiles.sum()):
        raise ModelUnavailable(f"{model.name} version {model.version} answered with what is not a number")
    worth = model.worth(horizon)
    return {
        **_common(snapshot, model, worth.skill, now),
        "horizon": horizon,
        "predictions": _points(snapshot, forecast, horizon),
        "confidence": INTERVAL,
        "coverage": worth.coverage,
    }


def signal_answer(
    snapshot: ServingSnapshot, model: ServedModel, probabilities: Mapping[str, float], now: datetime
) -> dict[str, Any]:
    """A SignalAnswer from the model's probabilities of each signal.

    Raises ModelUnavailable if a probability is not a number, or the model does not say what it was trained on.
    """
    if not math.isfinite(sum(probabilities.values())):
        raise ModelUnavailable(f"{model.name} version {model.version} answered with what is not a number")
    worth = model.worth()
    common = _common(snapshot, model, worth.skill, now)
    decision = _decision(probabilities, snapshot, model, stale=common["stale"])
    return {
        **common,
        "signal": decision.signal,
        "likeliest": max(SIGNALS, key=probabilities.__getitem__),
        "confidence": probabilities[decision.signal],
        "probabilities": probabilities,
        "reason_code": decision.reason,
        "reason": _reason(decision, probabilities, worth.skill),
    }


def age_in_sessions(snapshot: ServingSnapshot, now: datetime) -> int:
    """Sessions of the ticker's exchange that began after the snapshot's origin, up to HORIZONS."""
    today = now.date()
    return sum(session <= today for session in snapshot.next_sessions)


def _common(snapshot: ServingSnapshot, model: ServedModel, skill: Mapping[str, Any], now: datetime) -> dict[str, Any]:
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
    """Numbers one by one: for a few rows numpy takes longer."""
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


def _decision(
    probabilities: Mapping[str, float], snapshot: ServingSnapshot, model: ServedModel, *, stale: bool
) -> SignalDecision:
    try:
        return decide_latest_signal(probabilities, snapshot, model.facts, stale=stale)
    except NotAvailable as error:
        raise ModelUnavailable(f"{model.name} version {model.version} cannot give a signal: {error}") from None


def _reason(decision: SignalDecision, probabilities: Mapping[str, float], skill: Mapping[str, Any]) -> str:
    each = ", ".join(f"{name} {probabilities[name]:.0%}" for name in reversed(SIGNALS))
    return f"{decision.text} Probabilities: {each}. {_WORTH[skill['beats_naive']]}"
