"""yfinance, held to the manners of a source: its errors shown, its caches off, each answer of Yahoo heard."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pandas as pd

from zenith_core.errors import SourceError
from zenith_pipelines.ingestion.sources.yahoo_responses import ChartAnswers

_CHART = "/v8/finance/chart/"

# yfinance keeps one session, one cookie and one crumb per process, and switches them under way.
_one_at_a_time = threading.Lock()


def history(session: Any, answers: ChartAnswers, timeout: float) -> pd.DataFrame:
    """One attempt to get the daily history that `answers` is about, as yfinance returns it; rows of NaN included.

    Raises SourceError of the fitting kind, and nothing else.
    """
    answers.begin()
    with _one_at_a_time, _heard(session, answers):
        try:
            prices: pd.DataFrame = _ticker(answers.ticker, session).history(
                start=answers.since and answers.since.isoformat(),
                period=None if answers.since else "max",
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
            raise answers.failure(error) from error


@cache
def default_session() -> Any:
    """The session yfinance makes itself, one per process: without a browser's TLS manners, Yahoo refuses."""
    from curl_cffi import requests

    return requests.Session(impersonate="chrome")


def _ticker(name: str, session: Any) -> Any:
    import yfinance
    from yfinance.data import YfData

    # A folder that cannot be made turns off its caches on disk: a time zone may be stale, a cookie is read by
    # unpickling, and processes wait for one another's locks.
    yfinance.set_tz_cache_location(os.path.join(os.devnull, "yfinance"))  # noqa: PTH118
    yfinance.config.debug.hide_exceptions = False  # hidden, every failure looks like an empty history
    YfData.cache_get.cache_clear()  # or a 404 of this process's past is the answer for ever
    return yfinance.Ticker(name, session=session)


@contextmanager
def _heard(session: Any, answers: ChartAnswers) -> Iterator[None]:
    """Within, `answers` hears each answer of the chart service first; yfinance tells neither status nor headers.

    What it raises goes through yfinance untouched, and saves the second request that yfinance makes at once.
    """
    send = session.request

    def request(method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        if _CHART not in url:
            return send(method, url, *args, **kwargs)
        answers.begin()
        response = send(method, url, *args, **kwargs)
        answers.hear(response)
        return response

    session.request = request
    try:
        yield
    finally:
        del session.request
