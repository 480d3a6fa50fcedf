"""What routes share: the predictor of the application, and where the API begins."""

from typing import Annotated

from fastapi import Depends, Path, Request

from zenith_serving.predictor import Predictor
from zenith_serving.schemas import Ticker

PREFIX = "/api/v1/ml"


async def _predictor(request: Request) -> Predictor:
    predictor: Predictor = request.app.state.predictor
    return predictor


PredictorDep = Annotated[Predictor, Depends(_predictor)]
TickerPath = Annotated[Ticker, Path()]
