"""Indicators and the inputs that models see."""

import dagster as dg

from zenith_core.features import FEATURES, WARM_UP, feature_spec_hash, features
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.store import Dataset


@dg.asset(partitions_def=ticker_partitions, group_name="features", kinds={"parquet", "pandas"})
def indicator_features(cleaned_prices: Dataset) -> dg.MaterializeResult[Dataset]:
    """The nine indicators and the stationary model inputs made from them. A row uses only rows up to itself."""
    table = features(cleaned_prices.tables["prices"])
    facts = {"feature_spec": feature_spec_hash(), "data_version": cleaned_prices.facts["data_version"]}
    return dg.MaterializeResult(
        value=Dataset({"features": table}, facts),
        metadata={"dagster/row_count": len(table), "model_inputs": list(FEATURES), "warm_up": WARM_UP, **facts},
        data_version=dg.DataVersion(f"{facts['data_version']}-{facts['feature_spec']}"),
    )
