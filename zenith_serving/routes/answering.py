"""Questions about a ticker, and their answers as JSON.

What needs memory only, the cache or a model and its data, is answered on the event loop: a new price takes 0.3 ms, in
a thread of its own twice as long, for Python's lock (docs/decisions/0025). What may wait, for a file, the registry or
Redis, goes to one of many threads.
"""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from zenith_core.errors import ZenithError
from zenith_core.names import KINDS, Kind
from zenith_serving.errors import UnknownTicker
from zenith_serving.prediction.predictor import Predictor
from zenith_serving.problem_details import problem_of
from zenith_serving.schemas.predictions import What

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
    if not predictor.is_warm(asked.ticker, *_ASKS[asked.what]):
        return await run_in_threadpool(_answer, predictor, asked)
    if not asked.use_cache and asked.what == "price":
        return await predictor.new_price(asked.ticker, asked.horizon)
    if not asked.use_cache and asked.what == "signal":
        return await predictor.new_signal(asked.ticker)
    if asked.use_cache and (kept := _at_hand(predictor, asked)):
        return kept
    return _answer(predictor, asked)


def _at_hand(predictor: Predictor, asked: Question) -> bytes | None:
    if asked.what == "price":
        return predictor.price_at_hand(asked.ticker, asked.horizon)
    if asked.what == "signal":
        return predictor.signal_at_hand(asked.ticker)
    try:
        price = predictor.price_at_hand(asked.ticker, asked.horizon)
        signal = predictor.signal_at_hand(asked.ticker)
    except ZenithError:  # of one part: `_answer` puts the other beside it
        return None
    return _comprehensive(asked.ticker, price, signal, b"") if price and signal else None


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
    return _comprehensive(asked.ticker, price, signal, b",".join(problems))


def _comprehensive(ticker: str, price: bytes, signal: bytes, problems: bytes) -> bytes:
    return b'{"ticker":"%s","price":%s,"signal":%s,"problems":{%s}}' % (ticker.encode(), price, signal, problems)


def _attempt(answer: Callable[[], bytes]) -> tuple[bytes, ZenithError | None]:
    try:
        return answer(), None
    except UnknownTicker:
        raise
    except ZenithError as error:
        return b"null", error
