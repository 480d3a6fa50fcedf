"""Sensors: what looks again and again whether something is to be done.

What belongs here: when to look, and what is launched or told. What is judged how is in pure modules beside it.
"""

import json

import dagster as dg

from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.settings import Settings
from zenith_pipelines.store import DatasetStore
from zenith_pipelines.ticker_setting import Memory, step
from zenith_pipelines.tickers import SERVED, known_tickers

_RUNNING = dg.DefaultSensorStatus.RUNNING


@dg.sensor(minimum_interval_seconds=15, default_status=_RUNNING)
def tickers_in_step(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Adds what ZENITH_TICKERS names, removes what it named no more, takes removed tickers out of serving."""
    settings = Settings()
    memory = Memory.from_json(json.loads(context.cursor)) if context.cursor else Memory()
    todo = step(settings.tickers, known_tickers(context.instance), memory)
    store = DatasetStore(settings.data_uri)
    for ticker in todo.withdraw:
        store.withdraw(SERVED, ticker)
    requests = [
        *([ticker_partitions.build_add_request(list(todo.add))] if todo.add else ()),
        *([ticker_partitions.build_delete_request(list(todo.delete))] if todo.delete else ()),
    ]
    skipped = None if requests else "the tickers are in step"
    return dg.SensorResult(
        dynamic_partitions_requests=requests, cursor=json.dumps(todo.memory.to_json()), skip_reason=skipped
    )
