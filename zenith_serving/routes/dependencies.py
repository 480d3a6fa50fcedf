"""What routes share: the predictor of the application, and where the API begins."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Path, Request

from zenith_serving.prediction.predictor import Predictor
from zenith_serving.schemas.base import Ticker

PREFIX = "/api/v1/ml"

Result = TypeVar("Result")


def predictor_of(request: Request) -> Predictor:
    """The application's predictor, for routes in which a dependency of FastAPI's would take long."""
    predictor: Predictor = request.app.state.predictor
    return predictor


async def _predictor(request: Request) -> Predictor:
    return predictor_of(request)


PredictorDep = Annotated[Predictor, Depends(_predictor)]
TickerPath = Annotated[Ticker, Path()]


class SideThreads:
    """A few threads for what may wait seconds for another service: those that predictions need stay free."""

    def __init__(self, count: int) -> None:
        self._limiter = CapacityLimiter(count)

    async def run(self, question: Callable[[], Result]) -> Result:
        """Ask in one of the threads, as soon as one is free."""
        return await to_thread.run_sync(question, limiter=self._limiter)
