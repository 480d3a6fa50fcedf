"""Assets of production: the snapshot that serving reads, the Production models, their forecasts and evaluation.

Out of scope: reactions to an evaluation, which are sensors.
"""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from zenith_core.evaluation.forecast_ledger import ledger_rows
from zenith_core.evaluation.track_record import track_record
from zenith_core.job_options import EvaluationOptions
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.options import DEFAULT_WINDOW, LONGEST_WINDOW
from zenith_core.model_kinds.table import KINDS
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.defs.code_versions import code_version
from zenith_pipelines.defs.metadata import OWNERS, decisions_metadata, leaderboard_metadata, materialized
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.production.champion_challenger import CurrentData
from zenith_pipelines.production.evidence import evidence_facts, publish_evidence, ticker_evidence
from zenith_pipelines.production.forecast_explanation import SERVED, served_facts
from zenith_pipelines.production.leaderboard import LEADERBOARD, leaderboards
from zenith_pipelines.production.ledger import (
    ENTRIES,
    FORECASTS,
    LEDGER,
    SIGNALS_GIVEN,
    head_of,
    next_ledger,
    next_signals,
)
from zenith_pipelines.production.live_evaluation import evaluate
from zenith_pipelines.production.promotion import promote_if_better
from zenith_pipelines.production.serving_snapshot import latest_forecast, snapshot_facts
from zenith_pipelines.risk.distributions import distribution_facts
from zenith_pipelines.risk.records import record_facts


class SnapshotConfig(dg.Config):
    """The extent of the snapshot."""

    window: int = Field(
        default=DEFAULT_WINDOW,
        ge=1,
        le=LONGEST_WINDOW,
        description=f"Sessions of inputs to hold, 1 to {LONGEST_WINDOW}; never fewer than before.",
    )


@dg.asset(
    partitions_def=ticker_partitions,
    group_name="production",
    owners=OWNERS,
    kinds={"json"},
    code_version=code_version(
        "zenith_core/snapshot.py", "zenith_core/risk", "zenith_pipelines/production/serving_snapshot.py"
    ),
)
def serving_snapshot(
    context: dg.AssetExecutionContext,
    config: SnapshotConfig,
    zenith: ZenithResource,
    cleaned_prices: Dataset,
    indicator_features: Dataset,
) -> dg.MaterializeResult[Dataset]:
    """The data that serving needs for a ticker, so that it computes no indicators."""
    facts = snapshot_facts(
        zenith.store, zenith.registry, context.partition_key, cleaned_prices, indicator_features, config.window
    )
    distribution = distribution_facts(zenith.registry, cleaned_prices.tables["prices"], facts["data_version"])
    facts |= distribution | record_facts(zenith.store, context.partition_key, cleaned_prices.tables["prices"])
    metadata = {key: facts[key] for key in ("as_of", "data_version", "feature_spec", "close", "currency", "volatility")}
    if others := {spec: snapshot["as_of"] for spec, snapshot in facts["other_specs"].items()}:
        metadata["other_feature_specs"] = others
    if distribution["distribution"]:
        metadata["scale_version"] = distribution["distribution"]["scale_version"]
    else:
        metadata["no_distribution"] = distribution["no_distribution"]
    return materialized(
        value=Dataset(facts=facts), metadata=metadata, data_version=dg.DataVersion(facts["data_version"])
    )


@dg.asset(
    partitions_def=ticker_partitions,
    group_name="production",
    owners=OWNERS,
    kinds={"mlflow"},
    code_version=code_version("zenith_pipelines/production"),
    ins={f"{kind}_model": dg.AssetIn() for kind in KINDS},
)
def production_models(
    zenith: ZenithResource, indicator_features: Dataset, serving_snapshot: Dataset, **models: Dataset
) -> dg.MaterializeResult[Dataset]:
    """The promotion decision on each candidate, gate by gate, with the reason if it is refused."""
    current = CurrentData(ServingSnapshot.from_json(dict(serving_snapshot.facts)), indicator_features.table)
    decisions: dict[str, Any] = {
        kind: promote_if_better(
            zenith.registry, kind, int(models[f"{kind}_model"].facts["version"]), current, by=zenith.requested_by
        )
        for kind in KINDS
    }
    return materialized(value=Dataset(facts=decisions), metadata=decisions_metadata(zenith.settings, decisions))


@dg.asset(
    name=LEADERBOARD,
    partitions_def=ticker_partitions,
    group_name="production",
    owners=OWNERS,
    kinds={"mlflow"},
    deps=["production_models"],
    code_version=code_version("zenith_core/evaluation", "zenith_pipelines/production/leaderboard.py"),
)
def leaderboard_of_kinds(
    context: dg.AssetExecutionContext, zenith: ZenithResource, indicator_features: Dataset
) -> dg.MaterializeResult[Dataset]:
    """All kinds of model of each task on the rows that they have in common, beside the naive forecast.

    The kind that answers is a setting, `ZENITH_ANSWERS`; the others are its challengers.
    """
    boards = leaderboards(zenith.registry, context.partition_key, indicator_features.table)
    return materialized(value=Dataset(facts={"tasks": boards}), metadata=leaderboard_metadata(boards))


@dg.asset(
    partitions_def=ticker_partitions,
    group_name="production",
    owners=OWNERS,
    kinds={"parquet"},
    deps=["production_models"],
    code_version=code_version(
        "zenith_core/evaluation/forecast_ledger.py", "zenith_core/evaluation/ledger_chain.py", "zenith_core/evidence"
    ),
)
def forecast_ledger(
    context: dg.AssetExecutionContext, zenith: ZenithResource, cleaned_prices: Dataset, serving_snapshot: Dataset
) -> dg.MaterializeResult[Dataset]:
    """The forecasts of the Production models, kept unchanged and scored once their session has closed.

    An append-only chain of entries, each with the hash of the one before: `zenith ledger verify` checks it.
    """
    ticker = context.partition_key
    snapshot = ServingSnapshot.from_json(dict(serving_snapshot.facts))
    latest = latest_forecast(zenith.registry, snapshot)
    rows = ledger_rows(
        latest.snapshot, latest.forecast, latest.price_kind, latest.price_version, datetime.now(UTC), latest.bands
    )
    closes = cleaned_prices.tables["prices"]["close"]
    tables = next_ledger(zenith.store, ticker, rows, closes, _recorded_head(context.instance, ticker), latest.signal)
    ledger, head = tables[FORECASTS], head_of(tables[ENTRIES])
    evidence = evidence_facts(zenith.store, zenith.registry, ticker, ledger)
    publish_evidence(zenith.store, ticker, ticker_evidence(ledger, tables[ENTRIES], evidence))
    signals = next_signals(zenith.store, ticker, snapshot.as_of.isoformat(), latest.facts, latest.versions)
    earlier = zenith.store.facts(LEDGER, ticker).get(SERVED, []) if zenith.store.exists(LEDGER, ticker) else []
    facts = {**latest.facts, "track_record": track_record(ledger), **evidence, SIGNALS_GIVEN: signals}
    facts[SERVED] = served_facts(ledger, {**facts, SERVED: earlier}, ANSWERS.of(ticker), snapshot)
    return materialized(
        value=Dataset(tables, facts),
        metadata={
            "dagster/row_count": len(ledger),
            "matured": int(ledger["actual"].notna().sum()),
            **latest.facts,
            **head,
        },
    )


def _recorded_head(instance: dg.DagsterInstance, ticker: str) -> tuple[int, str] | None:
    """Return number and hash of the ledger's last entry, as Dagster's newest materialization has them."""
    records = dg.AssetRecordsFilter(asset_key=dg.AssetKey(LEDGER), asset_partitions=[ticker])
    for record in instance.fetch_materializations(records, limit=1).records:
        metadata = record.asset_materialization.metadata if record.asset_materialization else {}
        if "ledger_head" in metadata:
            return int(str(metadata["ledger_entries"].value)), str(metadata["ledger_head"].value)
    return None


class EvaluationConfig(dg.Config, EvaluationOptions):
    """The models to evaluate."""


@dg.asset(
    partitions_def=ticker_partitions,
    group_name="production",
    owners=OWNERS,
    kinds={"mlflow", "onnx"},
    deps=["production_models"],
    code_version=code_version("zenith_pipelines/production/live_evaluation.py"),
)
def production_evaluation(
    context: dg.AssetExecutionContext,
    config: EvaluationConfig,
    zenith: ZenithResource,
    cleaned_prices: Dataset,
    indicator_features: Dataset,
    serving_snapshot: Dataset,
) -> dg.MaterializeResult[Dataset]:
    """The Production models scored on the sessions after their training; a kind that is not evaluated keeps its scores.

    It is no stage of `retrain_model`, because a model that was just trained has no newer sessions.
    """
    name, ticker = "production_evaluation", context.partition_key
    current = CurrentData(ServingSnapshot.from_json(dict(serving_snapshot.facts)), indicator_features.table)
    prices = cleaned_prices.tables["prices"]
    closes = prices["close"].where(~prices["suspect"])
    earlier = dict(zenith.store.facts(name, ticker)) if zenith.store.exists(name, ticker) else {}
    kinds = [kind for kind in KINDS if config.model_type in (kind, "all")]
    scores: dict[str, Any] = {kind: evaluate(zenith.registry, kind, current, closes) for kind in kinds}
    metadata = {
        f"{kind}/{figure}": value
        for kind, figures in scores.items()
        for figure, value in figures.items()
        if isinstance(value, int | float | str)
    }
    breaches = [f"{kind}: {breach}" for kind, figures in scores.items() for breach in figures["breaches"]]
    return dg.MaterializeResult(value=Dataset(facts={**earlier, **scores}), metadata={**metadata, "breaches": breaches})
