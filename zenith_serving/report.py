"""The report of a ticker, put together on demand from the facts that the pipelines keep beside their tables."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from zenith_core.errors import CorruptData
from zenith_core.evidence.verdicts import (
    Verdict,
    backtest_verdict,
    band_metrics,
    band_verdict,
    leakage_verdict,
    price_verdict,
    signal_verdict,
)
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.options import horizon_of
from zenith_core.model_kinds.table import KINDS, MODEL_KINDS, Kind
from zenith_core.model_kinds.tasks import Task
from zenith_core.names import ALL_TICKERS, DISCLAIMER, TRIALS
from zenith_core.snapshot import ServingSnapshot
from zenith_serving.prediction.dataset_reader import DatasetReader
from zenith_serving.prediction.evidence_universe import EvidenceUniverse
from zenith_serving.schemas.predictions import AnswerEvidence
from zenith_serving.schemas.reports import ModelEvidence, Report, TradingEvidence
from zenith_serving.schemas.reports import Verdict as ReportedVerdict

_LINEAGE = ("data_end", "data_version", "raw_content_hash", "feature_spec", "code_version")

_logger = logging.getLogger(__name__)


def report_of(data: Path, snapshot: ServingSnapshot, universe: EvidenceUniverse) -> Report:
    """Return the report of the ticker of `snapshot`; `data` holds a folder for each dataset.

    A model or backtest that is missing or was written by another release is left out.
    """
    ticker = snapshot.ticker
    answers = ANSWERS.of(ticker)
    evidence = {kind: _model(kind, facts_of(data, f"{kind}_model", ticker), answers) for kind in KINDS}
    models = {kind: model for kind, model in evidence.items() if model}
    trials = facts_of(data, TRIALS, ALL_TICKERS)
    results = {kind: _backtest(kind, ticker, facts_of(data, f"{kind}_backtest", ticker), trials) for kind in KINDS}
    backtests = {kind: backtest for kind, backtest in results.items() if backtest}
    leakage = facts_of(data, "indicator_features", ticker).get("leakage", {})
    distribution = snapshot.distribution
    price = models[answers["price"]].metrics if answers["price"] in models else {}
    horizons = {task: models[kind].horizon for task, kind in answers.items() if kind in models}
    claims: dict[str, AnswerEvidence] = {task: universe.judge(ticker, task, n) for task, n in horizons.items()}
    band = dict(band_metrics(price, snapshot.risk_record)) if price and distribution else price
    return Report(
        ticker=ticker,
        as_of=snapshot.as_of,
        close=snapshot.close,
        currency=snapshot.currency,
        listing=dict(snapshot.listing),
        data_version=snapshot.data_version,
        verdicts=_verdicts(models, band, backtests, leakage, claims),
        band=band,
        scale_version=distribution.scale_version if distribution else None,
        models=sorted(models.values(), key=lambda model: not model.answers),
        backtests=backtests,
        risk_record=dict(snapshot.risk_record),
        leakage=leakage,
        disclaimer=DISCLAIMER,
    )


def facts_of(data: Path, asset: str, ticker: str) -> dict[str, Any]:
    """Return the facts of a dataset of a validated ticker; empty if there are none that can be read."""
    with suppress(CorruptData):  # logged
        return DatasetReader(data / asset).find(ticker) or {}
    return {}


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


def _backtest(kind: Kind, ticker: str, facts: Mapping[str, Any], trials: Mapping[str, Any]) -> TradingEvidence | None:
    """Return a backtest; `trials` are those of all tickers and kinds."""
    names = ("model_version", "stats", "config")
    with suppress(ValueError):
        if all(name in facts for name in names):
            own = TradingEvidence(**{name: facts[name] for name in names})
            among_all = among_all_trials(trials, ticker, kind)
            if among_all and among_all["version"] == own.model_version and "strategy" in own.stats:
                own.stats["strategy"] |= {
                    "deflated_sharpe_all": among_all["deflated_sharpe"],
                    **{f"{name}_all": trials.get(name) for name in ("trials", "independent", "expected_best")},
                }
            return own
    return None


def among_all_trials(trials: Mapping[str, Any], ticker: str, kind: Kind) -> dict[str, Any] | None:
    """Return a kind's newest backtest deflated by the trials of all tickers; None if it is not among them."""
    row: dict[str, Any] | None = trials.get("tickers", {}).get(ticker, {}).get(kind)
    return row


def _verdicts(
    models: Mapping[Kind, ModelEvidence],
    band: Mapping[str, Any],
    backtests: Mapping[Kind, TradingEvidence],
    leakage: Mapping[str, Any],
    claims: Mapping[str, AnswerEvidence],
) -> list[ReportedVerdict]:
    """Return the verdicts; `claims` is the evidence by task, whose verdicts have the task as subject."""
    verdicts: list[tuple[Kind | None, Verdict]] = []
    for model in models.values():
        if model.answers and model.task == "price":
            verdicts += [(None, price_verdict(model.metrics)), (None, band_verdict(band))]
        elif model.answers:
            verdicts.append((None, signal_verdict(model.metrics)))
    for kind, backtest in backtests.items():
        with suppress(KeyError):  # statistics of another release
            verdicts.append((kind, backtest_verdict(backtest.stats)))
    verdicts.append((None, leakage_verdict(leakage)))
    return [_reported(kind, one, claims.get(one.subject)) for kind, one in verdicts]


def _reported(kind: Kind | None, verdict: Verdict, claim: AnswerEvidence | None) -> ReportedVerdict:
    good = verdict.good and (claim is None or claim.discovered)
    return ReportedVerdict(subject=verdict.subject, code=verdict.code, good=good, model_type=kind, evidence=claim)
