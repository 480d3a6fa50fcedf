"""Trained candidates, registered in MLflow with their out-of-sample evidence. No promotion happens here."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from time import process_time
from typing import Any

import dagster as dg
import pandas as pd

from zenith_core.errors import NotAvailable, TooShortHistory
from zenith_core.inference import HORIZONS
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import next_sessions
from zenith_core.model_kinds.declaration import ModelKind
from zenith_core.model_kinds.options import ModelOptions
from zenith_core.model_kinds.table import MODEL_KINDS
from zenith_core.model_kinds.tasks import Task
from zenith_core.prices.standstill import moving_sessions, standing_still
from zenith_pipelines.dagster_runtime.dead_runs import earlier_attempts
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.defs.checks import has_models, reason_not_to_train
from zenith_pipelines.defs.code_versions import code_version
from zenith_pipelines.defs.metadata import (
    OWNERS,
    Metadata,
    materialized,
    price_model_plots,
    signal_model_plots,
    version_link,
)
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.defs.skips import skipped
from zenith_pipelines.models import prepare_backend
from zenith_pipelines.models.training import Candidate, Lineage, TrainingData, trainer_of_kind
from zenith_pipelines.registry.registration import flat_metrics, links_to, register

MODELS = ("zenith_pipelines/models", "zenith_core/features", "zenith_core/forecasting", "zenith_core/evaluation")
"""The code that trains and judges all models."""

_PLOTS: Mapping[Task, Callable[[pd.DataFrame, Mapping[str, Any], Dataset], Metadata]] = {
    "price": price_model_plots,
    "signal": signal_model_plots,
}


def model_asset(kind: ModelKind) -> dg.AssetsDefinition:
    """Make the asset `<kind>_model`, whose run config is the kind's configuration."""

    class Configuration(dg.Config, kind.options):  # type: ignore[misc,name-defined]
        """The configuration of one kind of model."""

    @dg.asset(
        name=f"{kind.name}_model",
        description=kind.description,
        partitions_def=ticker_partitions,
        deps=["serving_snapshot"],  # whose check fails a ticker that has models and lost its history
        group_name="models",
        owners=OWNERS,
        kinds={*kind.libraries, "mlflow", "onnx"},
        code_version=code_version(*MODELS),
        output_required=False,  # of a ticker that is skipped
    )
    def train(
        context: dg.AssetExecutionContext,
        config: Configuration,
        zenith: ZenithResource,
        progress: dg.ResourceParam[Progress],
        cleaned_prices: Dataset,
        indicator_features: Dataset,
    ) -> Iterator[dg.MaterializeResult[Dataset] | dg.AssetObservation]:
        ticker, store = context.partition_key, zenith.store
        if reason := reason_not_to_train(store, ticker, moving_sessions(cleaned_prices.tables["prices"]["close"])):
            yield skipped(f"{kind.name}_model", ticker, reason)
            return
        prepare_backend(zenith.settings.keras_backend, zenith.settings.home)
        options: ModelOptions = kind.options(**config.model_dump())
        data = _training_data(ticker, cleaned_prices, indicator_features)
        begin = process_time()
        try:
            candidate = trainer_of_kind(kind)(data, options, progress.of(f"{kind.name}_model"))
        except TooShortHistory as error:  # for these options: a longer window, or more folds
            if has_models(store, ticker):
                raise
            yield skipped(f"{kind.name}_model", ticker, str(error))
            return
        cpu_seconds = process_time() - begin
        plots: Metadata = {}
        if zenith.draws_plots:
            plots = _PLOTS[kind.task](candidate.evidence, candidate.metrics, cleaned_prices)
        yield _registered(context, zenith, candidate, indicator_features, plots, cpu_seconds)

    return train


model_assets = [model_asset(kind) for kind in MODEL_KINDS.values()]


def _training_data(ticker: str, cleaned: Dataset, features: Dataset) -> TrainingData:
    if "leakage" not in features.facts:
        raise NotAvailable(
            f"the features of {ticker} have no leakage certificate: materialize indicator_features again"
        )
    last, prices = cleaned.facts["last"], cleaned.tables["prices"]
    return TrainingData(
        features=features.table,
        usable=~prices["suspect"] & ~standing_still(prices["close"]),
        future=next_sessions(exchange_of(ticker), date.fromisoformat(last), HORIZONS),
        lineage=Lineage(
            ticker=ticker,
            data_version=cleaned.facts["data_version"],
            raw_content_hash=cleaned.facts["raw_content_hash"],
            data_end=last,
            feature_spec=features.facts["feature_spec"],
        ),
    )


def _registered(
    context: dg.AssetExecutionContext,
    zenith: ZenithResource,
    candidate: Candidate,
    features: Dataset,
    plots: Metadata,
    cpu_seconds: float,
) -> dg.MaterializeResult[Dataset]:
    attempts = earlier_attempts(context.instance, context.run_id)
    links = links_to(zenith.settings.zenith_page_url, context.partition_key)
    leakage = features.facts["leakage"]
    version = register(zenith.registry, candidate, leakage, context.run_id, attempts, cpu_seconds, links)
    facts = {**candidate.facts, "metrics": candidate.metrics, "model": version.name, "version": version.version}
    return materialized(
        value=Dataset({"evidence": candidate.evidence}, facts),
        metadata={
            "model": version.name,
            "version": version.version,
            "data_end": candidate.facts["data_end"],
            **version_link(zenith.settings, version.name, version.version),
            **flat_metrics(candidate.metrics),
            **plots,
        },
    )
