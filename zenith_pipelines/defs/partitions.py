"""The one partitions object. What does not belong here: which tickers there are; that is state of the instance."""

import dagster as dg

from zenith_pipelines.tickers import PARTITIONS

ticker_partitions = dg.DynamicPartitionsDefinition(name=PARTITIONS)
