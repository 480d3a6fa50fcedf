"""The one partitions definition. Its tickers are state of the instance, and do not belong here."""

import dagster as dg

from zenith_pipelines.tickers import PARTITIONS

ticker_partitions = dg.DynamicPartitionsDefinition(name=PARTITIONS)
