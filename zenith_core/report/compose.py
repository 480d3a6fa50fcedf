"""Compose the report's document from the facts that the pipelines keep beside their tables. One function a section.

A section that is missing, or was written by a release with other facts, is left out.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from zenith_core.evidence import verdicts as judges
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.options import horizon_of
from zenith_core.model_kinds.table import KINDS, MODEL_KINDS, Kind
from zenith_core.model_kinds.tasks import Task
from zenith_core.names import DISCLAIMER, TRIALS
from zenith_core.report.document import (
    AmongAll,
    Claim,
    LatestPrices,
    LatestSignal,
    ModelEvidence,
    Report,
    TradingEvidence,
    Verdict,
)
from zenith_core.report.risk import risk_of
from zenith_core.snapshot import ServingSnapshot

Facts = Callable[[str], Mapping[str, Any]]
"""Return the facts of a dataset by its name, those of the ticker or of all; empty if there are none to read."""

Judge = Callable[[Task, int], Claim | None]
"""Return the evidence for the ticker's served forecasts of a task at the nearest horizon."""

_LINEAGE = ("data_end", "data_version", "raw_content_hash", "feature_spec", "code_version")

_logger = logging.getLogger(__name__)


def compose_report(
    snapshot: ServingSnapshot,
    facts: Facts,
    forecast: LatestPrices | None = None,
    signal: LatestSignal | None = None,
    judge: Judge = lambda task, horizon: None,
    among_all: AmongAll | None = None,
) -> Report:
    """Return the report of the ticker of `snapshot`.

    forecast, signal:  the newest ones of the models that answer
    judge:             without it, no verdict has evidence
    among_all:         the ticker among all tickers of the home
    """
    ticker, distribution = snapshot.ticker, snapshot.distribution
    answers = ANSWERS.of(ticker)
    models = _models(facts, answers)
    backtests = _backtests(ticker, facts)
    claims = {task: judge(task, models[kind].horizon) for task, kind in answers.items() if kind in models}
    leakage = facts("indicator_features").get("leakage", {})
    price = models[answers["price"]].metrics if answers["price"] in models else {}
    band = dict(judges.band_metrics(price, snapshot.risk_record)) if price and distribution else price
    return Report(
        ticker=ticker,
        as_of=snapshot.as_of,
        close=snapshot.close,
        currency=snapshot.currency,
        listing=dict(snapshot.listing),
        data_version=snapshot.data_version,
        verdicts=[*_verdicts(models.values(), band, backtests, leakage, claims)],
        forecast=forecast,
        signal=signal,
        band=band,
        scale_version=distribution.scale_version if distribution else None,
        models=sorted(models.values(), key=lambda model: not model.answers),
        leaderboards=facts("leaderboard").get("tasks", {}),
        backtests=backtests,
        risk=risk_of(snapshot),
        risk_record=dict(snapshot.risk_record),
        among_all=among_all,
        leakage=leakage,
        disclaimer=DISCLAIMER,
    )


def compose_chart(ticker: str, facts: Facts) -> dict[str, Any]:
    """Return the columns that the charts of a ticker draw, as the datasets have them; None for those that lack."""
    backtests = {kind: facts(f"{kind}_backtest") for kind in KINDS}
    snapshot, features = (facts(name) for name in ("serving_snapshot", "indicator_features"))
    of_same_data = snapshot.get("data_version") == features.get("data_version")  # else a split may lie between them
    answers = ANSWERS.of(ticker)
    curve = ("equity", "stats", "config", "model_version")
    return {
        "ticker": ticker,
        "candles": snapshot.get("candles"),
        "forecasts": backtests[answers["price"]].get("forecasts"),
        "indicators": features.get("chart") if of_same_data else None,
        "signals": backtests[answers["signal"]].get("signals"),
        "backtests": {
            kind: {name: own[name] for name in curve} if all(name in own for name in curve) else None
            for kind, own in backtests.items()
        },
    }


def _models(facts: Facts, answers: Mapping[Task, Kind]) -> dict[Kind, ModelEvidence]:
    evidence = {kind: _model(kind, facts(f"{kind}_model"), answers) for kind in KINDS}
    return {kind: model for kind, model in evidence.items() if model}


def _model(kind: Kind, facts: Mapping[str, Any], answers: Mapping[Task, Kind]) -> ModelEvidence | None:
    study, task = facts.get("study") or {}, MODEL_KINDS[kind].task
    try:
        libraries = ", ".join(f"{name} {version}" for name, version in (facts.get("versions") or {}).items())
        return ModelEvidence(
            model_type=kind,
            task=task,
            version=facts["version"],
            answers=answers[task] == kind,
            horizon=horizon_of(facts),
            metrics=facts["metrics"],
            config=study.get("config") or {},
            folds=[*study.get("folds", []), *([study["final"]] if "final" in study else [])],
            importances=study.get("importances") or {},
            lineage={**{name: facts.get(name) for name in _LINEAGE}, "libraries": libraries or None},
        )
    except (KeyError, ValueError, TypeError) as error:
        if facts:
            _logger.warning("the report leaves out %s: %r", facts.get("model", kind), error)
        return None


def among_all_trials(trials: Mapping[str, Any], ticker: str, kind: Kind) -> dict[str, Any] | None:
    """Return a kind's newest backtest deflated by the trials of all tickers; None if it is not among them."""
    row: dict[str, Any] | None = trials.get("tickers", {}).get(ticker, {}).get(kind)
    return row


def _backtests(ticker: str, facts: Facts) -> dict[Kind, TradingEvidence]:
    trials = facts(TRIALS)
    results = {kind: _backtest(facts(f"{kind}_backtest"), trials, ticker, kind) for kind in KINDS}
    return {kind: result for kind, result in results.items() if result}


def _backtest(facts: Mapping[str, Any], trials: Mapping[str, Any], ticker: str, kind: Kind) -> TradingEvidence | None:
    """Return a backtest; `trials` are those of all tickers and kinds."""
    try:
        own = TradingEvidence.model_validate(facts)
    except ValidationError:
        return None
    row = among_all_trials(trials, ticker, kind)
    if row is None or row["version"] != own.model_version or "strategy" not in own.stats:
        return own
    among_all = {f"{name}_all": trials.get(name) for name in ("trials", "independent", "expected_best")}
    strategy = {**own.stats["strategy"], "deflated_sharpe_all": row["deflated_sharpe"], **among_all}
    return own.model_copy(update={"stats": {**own.stats, "strategy": strategy}})


def _verdicts(
    models: Iterable[ModelEvidence],
    band: Mapping[str, Any],
    backtests: Mapping[Kind, TradingEvidence],
    leakage: Mapping[str, Any],
    claims: Mapping[Task, Claim | None],
) -> Iterable[Verdict]:
    for model in models:
        if model.answers and model.task == "price":
            yield _verdict(judges.price_verdict(model.metrics), claim=claims["price"])
            yield _verdict(judges.band_verdict(band))
        elif model.answers:
            yield _verdict(judges.signal_verdict(model.metrics), claim=claims["signal"])
    for kind, backtest in backtests.items():
        with suppress(KeyError):  # statistics of another release
            yield _verdict(judges.backtest_verdict(backtest.stats), kind)
    yield _verdict(judges.leakage_verdict(leakage))


def _verdict(verdict: judges.Verdict, kind: Kind | None = None, claim: Claim | None = None) -> Verdict:
    good = verdict.good and (claim is None or claim.discovered)
    return Verdict(subject=verdict.subject, code=verdict.code, good=good, model_type=kind, evidence=claim)
