"""The data of a report's file: what the service's page reads, of the models of one training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zenith_core.errors import NotAvailable
from zenith_core.evaluation.leaderboard import Contender, leaderboard
from zenith_core.forecasting.abstention import decide_latest_signal, withhold
from zenith_core.inference import (
    QUANTILES,
    PriceForecast,
    forecast_points,
    forecast_prices,
    in_served_bands,
    signal_probabilities,
)
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.options import horizon_of, window_of
from zenith_core.model_kinds.table import KINDS, Kind, kinds_of
from zenith_core.model_kinds.tasks import Task
from zenith_core.names import UNIVERSE, UNIVERSE_LEDGER
from zenith_core.report.among_all import among_all
from zenith_core.report.compose import compose_chart, compose_report
from zenith_core.report.document import Claim, ForecastPoint, LatestPrices, LatestSignal, Report
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.models.onnx_artifact import metadata, onnx_run
from zenith_pipelines.production.evidence import Claims
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.registration import links_to


@dataclass(frozen=True)
class ReportData:
    """The report of a ticker, the columns of its charts, and the forecast that they show."""

    report: Report
    chart: Mapping[str, Any]
    forecast: PriceForecast


def gather_report_data(
    snapshot: ServingSnapshot, registry: ModelRegistry, claims: Claims, datasets: Mapping[str, Dataset]
) -> ReportData:
    """Gather the data of one ticker's report from its datasets by name, those of this training.

    Raises NotAvailable for a version that the registry does not have.
    """
    ticker = snapshot.ticker
    models = {kind: datasets[f"{kind}_model"] for kind in KINDS}
    facts = {name: dataset.facts for name, dataset in datasets.items()}
    facts["leaderboard"] = {"tasks": _leaderboards(ticker, models, datasets["indicator_features"])}
    answers = ANSWERS.of(ticker)
    forecast = _forecast(snapshot, registry, models[answers["price"]])

    def judge(task: Task, horizon: int) -> Claim | None:
        nearest, evidence = claims.nearest(ticker, task, horizon)
        return Claim(horizon=nearest, **evidence) if evidence["since"] else None  # a first training has no ledger yet

    universe, record = facts[UNIVERSE], facts[UNIVERSE_LEDGER].get("record", {})
    report = compose_report(
        snapshot,
        lambda name: facts.get(name, {}),
        _latest_prices(snapshot, answers["price"], models[answers["price"]], forecast),
        _latest_signal(snapshot, registry, claims, answers["signal"], models[answers["signal"]]),
        judge,
        among_all(ticker, universe.get("as_of", ""), universe.get("ranks", {}), record),
    )
    return ReportData(report, compose_chart(ticker, lambda name: facts.get(name, {})), forecast)


def log_report(registry: ModelRegistry, models: Mapping[Kind, Dataset], file: bytes, page: str) -> None:
    """Store the file with the MLflow run of each model version, and link the report and the page from the version.

    page:  the address of the service's page
    """
    for model in models.values():
        name, version = model.facts["model"], model.facts["version"]
        registry.log_files(name, version, {"report.html": file})
        registry.add_to_description(name, version, links_to(page, model.facts["ticker"]))


def _forecast(snapshot: ServingSnapshot, registry: ModelRegistry, model: Dataset) -> PriceForecast:
    run = onnx_run(registry.load(model.facts["model"], model.facts["version"]))
    forecast = forecast_prices(run, snapshot, window_of(model.facts))
    return in_served_bands(forecast, snapshot.distribution, snapshot.close)


def _latest_prices(snapshot: ServingSnapshot, kind: Kind, model: Dataset, forecast: PriceForecast) -> LatestPrices:
    return LatestPrices(
        model_type=kind,
        model_version=model.facts["version"],
        confidence=round(QUANTILES[-1] - QUANTILES[0], 6),
        predictions=[ForecastPoint(**point) for point in forecast_points(snapshot, forecast)],
    )


def _latest_signal(
    snapshot: ServingSnapshot, registry: ModelRegistry, claims: Claims, kind: Kind, model: Dataset
) -> LatestSignal | None:
    """Return the signal as it would be served; None for a model that cannot decide."""
    onnx = registry.load(model.facts["model"], model.facts["version"])
    probabilities = signal_probabilities(onnx_run(onnx), snapshot)
    try:
        decision = decide_latest_signal(probabilities, snapshot, metadata(onnx), stale=False)
    except NotAvailable:
        return None
    is_claim = claims.has_discovered(snapshot.ticker, kind, horizon_of(model.facts))
    decision = withhold(decision, is_claim=is_claim)
    return LatestSignal(
        model_type=kind,
        model_version=model.facts["version"],
        signal=decision.signal,
        reason_code=decision.reason,
        probabilities=probabilities,
    )


def _leaderboards(ticker: str, models: Mapping[Kind, Dataset], features: Dataset) -> dict[str, Any]:
    """Return the leaderboard of each task that several models of this training have."""
    contenders = {task: [_contender(kind, models[kind]) for kind in kinds_of(task)] for task in ANSWERS.of(ticker)}
    return {
        task: leaderboard(task, own, ANSWERS.of(ticker)[task], features.table)
        for task, own in contenders.items()
        if len(own) > 1
    }


def _contender(kind: Kind, model: Dataset) -> Contender:
    facts = model.facts
    threshold = facts["study"].get("config", {}).get("threshold")
    return Contender(kind, facts["version"], facts["data_end"], model.table, horizon_of(facts), threshold)
