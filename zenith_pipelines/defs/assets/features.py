"""Indicators and model inputs."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg
import pandas as pd

from zenith_core.features.declaration import WARM_UP
from zenith_core.features.leakage import MakeFeatures, holds_for, leakage_certificate, leakage_summary
from zenith_core.features.model_features import FEATURES, feature_spec_hash, features
from zenith_core.table_schemas import features_schema
from zenith_pipelines.datasets.other_prices import data_versions, other_prices
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.defs.checks import reason_not_to_forecast
from zenith_pipelines.defs.code_versions import code_version
from zenith_pipelines.defs.metadata import OWNERS, column_schema, date_range, features_plot, materialized
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.defs.skips import skipped
from zenith_pipelines.production.chart_data import overlays

CODE = code_version("zenith_core/features")
MODEL_COLUMNS = (*FEATURES, "volatility", "close")  # model inputs, and the columns that targets are made from


@dg.asset(
    partitions_def=ticker_partitions,
    group_name="features",
    owners=OWNERS,
    kinds={"parquet", "pandas"},
    code_version=CODE,
    output_required=False,  # of a ticker that is skipped
)
def indicator_features(
    context: dg.AssetExecutionContext, zenith: ZenithResource, cleaned_prices: Dataset
) -> Iterator[dg.MaterializeResult[Dataset] | dg.AssetObservation]:
    """The nine indicators and the stationary model inputs made from them. A row uses only rows up to itself.

    It has the leakage certificate that the check `no_leakage` reads and each model version carries. A refresh keeps
    that of the last week, unless features or code changed or an earlier session did. A new ticker with too short a
    history is skipped.
    """
    if reason := reason_not_to_forecast(zenith.store, context.partition_key, cleaned_prices):
        yield skipped("indicator_features", context.partition_key, reason)
        return
    prices = cleaned_prices.tables["prices"]
    others = other_prices(zenith.store, context.partition_key, pd.DatetimeIndex(prices.index))
    make = partial(features, others=others) if others else features
    table = make(prices)
    facts = {"feature_spec": feature_spec_hash(), "data_version": cleaned_prices.facts["data_version"]}
    certificate = _certificate(zenith, context.partition_key, make, prices, table, facts)
    versions = data_versions(zenith.store, others)
    dataset = Dataset(
        {"features": table}, {**facts, "leakage": certificate, "others": versions, "chart": overlays(table)}
    )
    yield materialized(
        value=dataset,
        metadata={
            **date_range(table.index),
            **column_schema(features_schema()),
            "model_inputs": list(FEATURES),
            "warm_up": WARM_UP,
            "leakage": leakage_summary(certificate),
            "leakage_checked_at": certificate["checked_at"],
            **facts,
            **{f"data_version of {name}": version for name, version in versions.items()},
            **(features_plot(dataset) if zenith.draws_plots else {}),
        },
        data_version=dg.DataVersion("-".join([facts["data_version"], facts["feature_spec"], *versions.values()])),
    )


def _certificate(
    zenith: ZenithResource,
    ticker: str,
    make: MakeFeatures,
    prices: pd.DataFrame,
    table: pd.DataFrame,
    facts: dict[str, str],
) -> dict[str, Any]:
    """Return the leakage certificate, in a refresh the stored one if that still holds."""
    now = datetime.now(UTC)
    if zenith.is_refresh and zenith.store.exists("indicator_features", ticker):
        earlier: dict[str, Any] = zenith.store.facts("indicator_features", ticker).get("leakage", {})
        if holds_for(earlier, prices, feature_spec=facts["feature_spec"], code=CODE, now=now):
            return earlier
    certificate = leakage_certificate(make, prices, table, inputs=MODEL_COLUMNS, warm_up=WARM_UP, **facts)
    return {**certificate, "checked_at": now.isoformat(timespec="seconds"), "code": CODE}
