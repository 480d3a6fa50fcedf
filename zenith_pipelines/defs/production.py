"""What serving answers from: the snapshot of the data, the Production alias, and the ledger of forecasts made."""

from datetime import UTC, datetime

import dagster as dg

from zenith_core.ledger import extended, ledger_rows, scored
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.candidates import consider
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.defs.shown import OWNERS
from zenith_pipelines.serving_view import latest_answer, make_snapshot
from zenith_pipelines.store import Dataset


@dg.asset(partitions_def=ticker_partitions, group_name="production", owners=OWNERS, kinds={"json"})
def serving_snapshot(
    context: dg.AssetExecutionContext, cleaned_prices: Dataset, indicator_features: Dataset
) -> dg.MaterializeResult[Dataset]:
    """All that serving needs of a ticker's data, so that serving computes no indicator."""
    snapshot = make_snapshot(context.partition_key, cleaned_prices, indicator_features)
    facts = {key: getattr(snapshot, key) for key in ("data_version", "feature_spec", "close", "currency", "volatility")}
    return dg.MaterializeResult(
        value=Dataset(facts=snapshot.to_json()),
        metadata={"as_of": snapshot.as_of.isoformat(), **facts},
        data_version=dg.DataVersion(snapshot.data_version),
    )


@dg.asset(partitions_def=ticker_partitions, group_name="production", owners=OWNERS, kinds={"mlflow"})
def production_models(
    zenith: ZenithResource, lstm_model: Dataset, ensemble_model: Dataset, serving_snapshot: Dataset
) -> dg.MaterializeResult[Dataset]:
    """The decision on each candidate: it becomes Production, or this says why not."""
    snapshot = ServingSnapshot.from_json(dict(serving_snapshot.facts))
    decisions = {
        model.facts["kind"]: consider(zenith.registry, model.facts, snapshot) for model in (lstm_model, ensemble_model)
    }
    return dg.MaterializeResult(
        value=Dataset(facts=decisions),
        metadata={f"{kind}/{key}": value for kind, facts in decisions.items() for key, value in facts.items()},
    )


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
    answer = latest_answer(zenith.registry, snapshot)
    known = (
        zenith.store.read("forecast_ledger", ticker).table if zenith.store.exists("forecast_ledger", ticker) else None
    )
    rows = ledger_rows(snapshot, answer.forecast, answer.lstm_version, datetime.now(UTC))
    ledger = scored(extended(known, rows), cleaned_prices.tables["prices"]["close"])
    return dg.MaterializeResult(
        value=Dataset({"forecasts": ledger}, answer.facts),
        metadata={"dagster/row_count": len(ledger), "matured": int(ledger["actual"].notna().sum()), **answer.facts},
    )
