"""Indicators and model inputs."""

import dagster as dg

from zenith_core.features.declaration import WARM_UP
from zenith_core.features.leakage import leakage_certificate, leakage_summary
from zenith_core.features.model_features import FEATURES, feature_spec_hash, features
from zenith_core.table_schemas import features_schema
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.defs.code_versions import code_version
from zenith_pipelines.defs.metadata import OWNERS, column_schema, date_range, features_plot
from zenith_pipelines.defs.partitions import ticker_partitions

MODEL_COLUMNS = (*FEATURES, "volatility", "close")  # model inputs, and the columns that targets are made from


@dg.asset(
    partitions_def=ticker_partitions,
    group_name="features",
    owners=OWNERS,
    kinds={"parquet", "pandas"},
    code_version=code_version("zenith_core/features"),
)
def indicator_features(cleaned_prices: Dataset) -> dg.MaterializeResult[Dataset]:
    """The nine indicators and the stationary model inputs made from them. A row uses only rows up to itself.

    It has the leakage certificate that the check `no_leakage` reads and each model version carries.
    """
    prices = cleaned_prices.tables["prices"]
    table = features(prices)
    facts = {"feature_spec": feature_spec_hash(), "data_version": cleaned_prices.facts["data_version"]}
    certificate = leakage_certificate(features, prices, table, inputs=MODEL_COLUMNS, warm_up=WARM_UP, **facts)
    dataset = Dataset({"features": table}, {**facts, "leakage": certificate})
    return dg.MaterializeResult(
        value=dataset,
        metadata={
            **date_range(table.index),
            **column_schema(features_schema()),
            "model_inputs": list(FEATURES),
            "warm_up": WARM_UP,
            "leakage": leakage_summary(certificate),
            **facts,
            **features_plot(dataset),
        },
        data_version=dg.DataVersion(f"{facts['data_version']}-{facts['feature_spec']}"),
    )
