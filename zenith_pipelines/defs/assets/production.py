"""What serving answers from: the snapshot of the data, the Production alias, and the ledger of forecasts made."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from zenith_core.evaluation.forecast_ledger import append_rows, fill_actuals, ledger_rows
from zenith_core.evaluation.track_record import track_record
from zenith_core.names import Kind
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.defs.decision_table import figures, markdown
from zenith_pipelines.defs.metadata import OWNERS, version_link
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.production.champion_challenger import CurrentData
from zenith_pipelines.production.promotion import promote_if_better
from zenith_pipelines.production.serving_snapshot import latest_forecast, snapshot_facts


@dg.asset(partitions_def=ticker_partitions, group_name="production", owners=OWNERS, kinds={"json"})
def serving_snapshot(
    context: dg.AssetExecutionContext, zenith: ZenithResource, cleaned_prices: Dataset, indicator_features: Dataset
) -> dg.MaterializeResult[Dataset]:
    """All that serving needs of a ticker's data, so that serving computes no indicator."""
    facts = snapshot_facts(zenith.store, zenith.registry, context.partition_key, cleaned_prices, indicator_features)
    shown = ("as_of", "data_version", "feature_spec", "close", "currency", "volatility")
    others = {spec: snapshot["as_of"] for spec, snapshot in facts["other_specs"].items()}
    return dg.MaterializeResult(
        value=Dataset(facts=facts),
        metadata={**{key: facts[key] for key in shown}, **({"other_feature_specs": others} if others else {})},
        data_version=dg.DataVersion(facts["data_version"]),
    )


@dg.asset(partitions_def=ticker_partitions, group_name="production", owners=OWNERS, kinds={"mlflow"})
def production_models(
    zenith: ZenithResource,
    indicator_features: Dataset,
    lstm_model: Dataset,
    ensemble_model: Dataset,
    serving_snapshot: Dataset,
) -> dg.MaterializeResult[Dataset]:
    """The decision on each candidate, gate by gate: it becomes Production, or this says why not."""
    present = CurrentData(ServingSnapshot.from_json(dict(serving_snapshot.facts)), indicator_features.table)
    models: dict[Kind, Dataset] = {"lstm": lstm_model, "ensemble": ensemble_model}
    decisions: dict[str, Any] = {
        kind: promote_if_better(zenith.registry, kind, int(model.facts["version"]), present)
        for kind, model in models.items()
    }
    return dg.MaterializeResult(value=Dataset(facts=decisions), metadata=_metadata(zenith, decisions))


@dg.asset(
    partitions_def=ticker_partitions,
    group_name="production",
    owners=OWNERS,
    kinds={"parquet"},
    deps=["production_models"],
)
def forecast_ledger(
    context: dg.AssetExecutionContext, zenith: ZenithResource, cleaned_prices: Dataset, serving_snapshot: Dataset
) -> dg.MaterializeResult[Dataset]:
    """What the Production models forecast, kept as it was made and scored when its session has closed."""
    ticker = context.partition_key
    snapshot = ServingSnapshot.from_json(dict(serving_snapshot.facts))
    latest = latest_forecast(zenith.registry, snapshot)
    known = (
        zenith.store.read("forecast_ledger", ticker).table if zenith.store.exists("forecast_ledger", ticker) else None
    )
    rows = ledger_rows(latest.snapshot, latest.forecast, latest.lstm_version, datetime.now(UTC))
    ledger = fill_actuals(append_rows(known, rows), cleaned_prices.tables["prices"]["close"])
    return dg.MaterializeResult(
        value=Dataset({"forecasts": ledger}, {**latest.facts, "track_record": track_record(ledger)}),
        metadata={"dagster/row_count": len(ledger), "matured": int(ledger["actual"].notna().sum()), **latest.facts},
    )


def _metadata(zenith: ZenithResource, decisions: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for kind, decision in decisions.items():
        shown |= {f"{kind}/{key}": decision[key] for key in ("model", "version", "promoted", "production", "reason")}
        linked = version_link(zenith.settings, decision["model"], decision["version"])
        shown |= {f"{kind}/{name}": value for name, value in linked.items()}
        shown[f"{kind}/gates"] = dg.MetadataValue.md(markdown(decision))
        shown |= {f"{kind}/{name}": value for name, value in figures(decision).items()}
    return shown
