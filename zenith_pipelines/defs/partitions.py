"""The one partitions object. What does not belong here: which tickers there are; that is state of the instance."""

import dagster as dg

ticker_partitions = dg.DynamicPartitionsDefinition(name="tickers")
