"""Sensors: what looks again and again whether something is to be done.

What belongs here: when to look, and what is launched or told. What is judged how is in pure modules beside it.
"""

import json
from datetime import UTC, datetime, timedelta

import dagster as dg

from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import last_closed_session
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.defs import jobs
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.run_requests import refresh_request
from zenith_pipelines.defs.standing import always_on_sensor
from zenith_pipelines.settings import Settings
from zenith_pipelines.ticker_setting import SyncState, plan_ticker_sync
from zenith_pipelines.tickers import SERVED, known_tickers


@always_on_sensor(seconds=15)
def tickers_in_step(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Adds what ZENITH_TICKERS names, removes what it named no more, takes removed tickers out of serving."""
    settings = Settings()
    state = SyncState.from_json(json.loads(context.cursor)) if context.cursor else SyncState()
    plan = plan_ticker_sync(settings.tickers, known_tickers(context.instance), state)
    store = DatasetStore(settings.data_uri)
    for ticker in plan.withdraw:
        store.withdraw(SERVED, ticker)
    requests = [
        *([ticker_partitions.build_add_request(list(plan.add))] if plan.add else ()),
        *([ticker_partitions.build_delete_request(list(plan.delete))] if plan.delete else ()),
    ]
    skipped = None if requests else "the tickers are in step"
    return dg.SensorResult(
        dynamic_partitions_requests=requests, cursor=json.dumps(plan.state.to_json()), skip_reason=skipped
    )


@always_on_sensor(seconds=60, job=jobs.refresh_prices)
def refresh_after_close(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Refreshes each ticker once a session of its exchange has been closed for ZENITH_REFRESH_DELAY minutes.

    The newest closed session counts, so what was missed is made up for by one run. A new ticker is refreshed at once.
    """
    settings = Settings()
    store, then = DatasetStore(settings.data_uri), _now() - timedelta(minutes=settings.zenith_refresh_delay)
    asked = json.loads(context.cursor or "{}")
    closed = {
        ticker: last_closed_session(exchange_of(ticker), then).isoformat() for ticker in known_tickers(context.instance)
    }
    requests = [
        refresh_request(ticker, run_key=f"{ticker}-{session}", forecasts=store.exists("forecast_ledger", ticker))
        for ticker, session in closed.items()
        if session > asked.get(ticker, "")
    ]
    return dg.SensorResult(
        run_requests=requests,
        cursor=json.dumps({ticker: max(session, asked.get(ticker, "")) for ticker, session in closed.items()}),
        skip_reason=None if requests else "no session has closed since the last refresh",
    )


def _now() -> datetime:
    return datetime.now(UTC)
