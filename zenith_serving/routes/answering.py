"""Questions about a ticker, and their answers as JSON.

An answer whose model and data are in memory takes about 0.2 ms, hardly more than handing it to a thread, so it is
computed on the event loop; whatever may wait (a file, the registry, Redis) goes to a thread.
"""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from zenith_core.errors import ZenithError
from zenith_core.naming import KINDS, Kind
from zenith_serving.errors import UnknownTicker
from zenith_serving.predictor import Predictor
from zenith_serving.problems import problem_of
from zenith_serving.schemas import What

_ASKS: dict[What, tuple[Kind, ...]] = {"price": ("lstm",), "signal": ("ensemble",), "comprehensive": KINDS}


@dataclass(frozen=True)
class Question:
    """What is asked of one ticker."""

    ticker: str
    what: What
    horizon: int = 5
    use_cache: bool = True


async def answer_one(predictor: Predictor, asked: Question) -> bytes:
    """The answer as JSON: a PriceAnswer, SignalAnswer or ComprehensiveAnswer. Raises as `Predictor.price_json`."""
    if predictor.is_warm(asked.ticker, *_ASKS[asked.what]):
        return _answer(predictor, asked)
    return await run_in_threadpool(_answer, predictor, asked)


def _answer(predictor: Predictor, asked: Question) -> bytes:
    if asked.what == "price":
        return predictor.price_json(asked.ticker, asked.horizon, use_cache=asked.use_cache)
    if asked.what == "signal":
        return predictor.signal_json(asked.ticker, use_cache=asked.use_cache)
    return _both(predictor, asked)


def _both(predictor: Predictor, asked: Question) -> bytes:
    """A ComprehensiveAnswer, put together from the JSON of its parts."""
    price, price_error = _attempt(lambda: predictor.price_json(asked.ticker, asked.horizon, use_cache=asked.use_cache))
    signal, signal_error = _attempt(lambda: predictor.signal_json(asked.ticker, use_cache=asked.use_cache))
    if price_error and signal_error:
        raise price_error
    errors = {"price": price_error, "signal": signal_error}
    problems = [
        b'"%s":%s' % (part.encode(), problem_of(error).model_dump_json().encode())
        for part, error in errors.items()
        if error
    ]
    return b'{"ticker":"%s","price":%s,"signal":%s,"problems":{%s}}' % (
        asked.ticker.encode(),
        price,
        signal,
        b",".join(problems),
    )


def _attempt(answer: Callable[[], bytes]) -> tuple[bytes, ZenithError | None]:
    try:
        return answer(), None
    except UnknownTicker:
        raise
    except ZenithError as error:
        return b"null", error
