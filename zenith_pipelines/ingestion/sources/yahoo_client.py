"""yfinance as a price source: errors raised, caches off, each response of Yahoo inspected."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pandas as pd

from zenith_core.errors import SourceError
from zenith_pipelines.ingestion.sources.yahoo_responses import ChartResponses

_CHART = "/v8/finance/chart/"

# yfinance has one session, one cookie and one crumb per process, and may switch them during a request.
_yfinance_lock = threading.Lock()


def history(
    session: Any, responses: ChartResponses, timeout: float, before_request: Callable[[], None] = lambda: None
) -> pd.DataFrame:
    """Fetch a ticker's daily history once, as yfinance returns it, rows of NaN included.

    `before_request` is called before each request for a chart. Raises SourceError of the matching kind, and nothing
    else.
    """
    responses.begin()
    with _yfinance_lock, _recording(session, responses, before_request):
        try:
            prices: pd.DataFrame = _ticker(responses.ticker, session).history(
                start=responses.since and responses.since.isoformat(),
                period=None if responses.since else "max",
                interval="1d",
                auto_adjust=False,
                actions=True,
                keepna=True,
                timeout=timeout,
            )
            return prices
        except SourceError:
            raise
        except Exception as error:
            raise responses.failure(error) from error


@cache
def default_session() -> Any:
    """Return the process's session, made as yfinance makes it: Yahoo refuses clients without a browser's TLS."""
    from curl_cffi import requests

    return requests.Session(impersonate="chrome")


def _ticker(name: str, session: Any) -> Any:
    import yfinance
    from yfinance.data import YfData

    # A folder that cannot be created turns off the caches on disk: a time zone may be stale, a cookie is unpickled,
    # and processes wait for each other's locks.
    yfinance.set_tz_cache_location(os.path.join(os.devnull, "yfinance"))  # noqa: PTH118
    yfinance.config.debug.hide_exceptions = False  # if hidden, every failure looks like an empty history
    YfData.cache_get.cache_clear()  # else a 404 is cached for the life of the process
    return yfinance.Ticker(name, session=session)


@contextmanager
def _recording(session: Any, responses: ChartResponses, before_request: Callable[[], None]) -> Iterator[None]:
    """Let `responses` read each response of the chart service first: yfinance shows neither status nor headers.

    Its errors pass through yfinance unchanged, and save the second request that yfinance makes at once.
    """
    send = session.request

    def request(method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        if _CHART not in url:
            return send(method, url, *args, **kwargs)
        before_request()
        responses.begin()
        response = send(method, url, *args, **kwargs)
        responses.read(response)
        return response

    session.request = request
    try:
        yield
    finally:
        del session.request
