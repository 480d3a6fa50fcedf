"""What routes share: the predictor of the application, and where the API begins."""

from typing import Annotated

from fastapi import Depends, Request

from zenith_serving.predictor import Predictor

PREFIX = "/api/v1/ml"


def predictor_of(request: Request) -> Predictor:
    """The application's predictor, for routes in which a dependency of FastAPI's would take long."""
    predictor: Predictor = request.app.state.predictor
    return predictor


async def _predictor(request: Request) -> Predictor:
    return predictor_of(request)


PredictorDep = Annotated[Predictor, Depends(_predictor)]
