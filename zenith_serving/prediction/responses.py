"""From a kept forecast to a response. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from zenith_core.forecasting.abstention import SignalDecision, withhold
from zenith_core.inference import QUANTILES, SIGNALS
from zenith_core.names import DISCLAIMER
from zenith_core.risk.value_at_risk import price_quantiles
from zenith_core.snapshot import STALE_AFTER_SESSIONS, ServingSnapshot
from zenith_serving.prediction.served_model import KeptText, ServedModel, SignalForecast
from zenith_serving.schemas.predictions import (
    AnswerEvidence,
    PriceAnswer,
    PricePoint,
    PriceQuantile,
    Probabilities,
    SignalAnswer,
    Skill,
)

INTERVAL = round(QUANTILES[-1] - QUANTILES[0], 6)  # the level of [lower, upper]
_SKILL_SENTENCES = {
    True: "Out of sample the model was better than guessing from past frequencies.",
    False: "Out of sample the model was no better than guessing from past frequencies.",
    None: "The model's skill out of sample is unknown.",
}


_TIME = TypeAdapter(datetime)


def answer_json(
    model: ServedModel,
    horizon: int,
    now: datetime,
    quantiles: Sequence[float] = (),
    evidence: AnswerEvidence | None = None,
) -> bytes:
    """Return the answer of `response` as JSON. The model keeps its last one: only its time is new if it is asked again.

    Raises as `response`.
    """
    question = (horizon, tuple(quantiles), age_in_sessions(model.snapshot, now))
    time = b'"timestamp":' + _TIME.dump_json(now)
    kept = model.last_text.get(question)
    if kept is None or kept.evidence is not evidence:
        text = response(model, horizon, now, quantiles, evidence).model_dump_json().encode()
        before, _, after = text.partition(time)
        kept = KeptText(evidence, before, after)
        model.last_text.clear()
        model.last_text[question] = kept
    return kept.before + time + kept.after


def response(
    model: ServedModel,
    horizon: int,
    now: datetime,
    quantiles: Sequence[float] = (),
    evidence: AnswerEvidence | None = None,
) -> PriceAnswer | SignalAnswer:
    """Return the answer of a price model for `horizon` sessions, or of a signal model.

    quantiles:  levels whose prices to add to those of a price model
    evidence:   for the ticker's forecasts of this task; a signal is held back unless it is discovered

    Raises ModelUnavailable or FeatureMismatch if the model has no forecast from its snapshot, DistributionUnavailable
    if that has no quantiles, and UserError for a level beyond the data.
    """
    forecast = model.forecast
    if isinstance(forecast, SignalForecast):
        return _signal_answer(model, forecast, now, evidence)
    return _price_answer(model, forecast[:horizon], now, quantiles, evidence)


def age_in_sessions(snapshot: ServingSnapshot, now: datetime) -> int:
    """Count the sessions of the ticker's exchange that began after the snapshot's origin, up to HORIZONS.

    Begun sessions, by the snapshot's own dates: the exchange calendars, which know closing times, need pandas.
    """
    return bisect_right(snapshot.next_sessions, now.date())


def common_fields(snapshot: ServingSnapshot, now: datetime) -> dict[str, Any]:
    """Return the fields of Answer."""
    age = age_in_sessions(snapshot, now)
    return {
        "ticker": snapshot.ticker,
        "current_price": snapshot.close,
        "as_of": snapshot.as_of,
        "currency": snapshot.currency,
        "stale": age > STALE_AFTER_SESSIONS,
        "age_sessions": age,
        "cached": False,
        "timestamp": now,
        "disclaimer": DISCLAIMER,
    }


def _price_answer(
    model: ServedModel,
    points: tuple[PricePoint, ...],
    now: datetime,
    quantiles: Sequence[float],
    evidence: AnswerEvidence | None,
) -> PriceAnswer:
    skill, coverage = model.skill_at(len(points))
    calendar_end = model.snapshot.calendar_end
    return PriceAnswer(
        **_common(model, skill, evidence, now),
        horizon=len(points),
        predictions=list(points),
        confidence=INTERVAL,
        coverage=coverage,
        dates_estimated_after=calendar_end if calendar_end and points[-1].date > calendar_end else None,
        quantiles=_quantiles(model, quantiles, len(points)),
    )


def _quantiles(model: ServedModel, levels: Sequence[float], horizon: int) -> list[PriceQuantile]:
    if not levels:
        return []
    prices = price_quantiles(model.distribution, levels, model.snapshot.close)[:horizon].round(6).T.tolist()
    return [PriceQuantile(level=level, prices=own) for level, own in zip(levels, prices, strict=True)]


def _signal_answer(
    model: ServedModel, forecast: SignalForecast, now: datetime, evidence: AnswerEvidence | None
) -> SignalAnswer:
    skill, _ = model.skill_at()
    common = _common(model, skill, evidence, now)
    decision = withhold(
        forecast.stale if common["stale"] else forecast.fresh, is_claim=bool(evidence and evidence.discovered)
    )
    return SignalAnswer(
        **common,
        horizon=model.signal_horizon,
        signal=decision.signal,
        **_probable(forecast.probabilities, decision.signal),
        reason_code=decision.reason,
        reason=_reason(decision, forecast.probabilities, skill, evidence),
    )


def _probable(probabilities: Probabilities | None, signal: str) -> dict[str, Any]:
    """The fields of SignalAnswer that need probabilities."""
    if probabilities is None:
        return dict.fromkeys(("likeliest", "confidence", "probabilities"))
    return {
        "likeliest": max(SIGNALS, key=lambda each: getattr(probabilities, each)),
        "confidence": getattr(probabilities, signal),
        "probabilities": probabilities,
    }


def _common(model: ServedModel, skill: Skill, evidence: AnswerEvidence | None, now: datetime) -> dict[str, Any]:
    """The fields of ModelAnswer."""
    return {
        **common_fields(model.snapshot, now),
        "model_type": model.kind,
        "model_version": "none" if model.version is None else str(model.version),
        "model_data_end": model.facts.get("data_end"),
        "skill": skill,
        "evidence": evidence,
        "scale_version": model.scale_version,
    }


def _reason(
    decision: SignalDecision, probabilities: Probabilities | None, skill: Skill, evidence: AnswerEvidence | None
) -> str:
    if probabilities is None:
        return decision.text
    shares = ", ".join(f"{signal} {getattr(probabilities, signal):.0%}" for signal in reversed(SIGNALS))
    proof = f" Evidence for its signals: {evidence.says}." if evidence else ""
    return f"{decision.text} Probabilities: {shares}. {_SKILL_SENTENCES[skill.beats_naive]}{proof}"
