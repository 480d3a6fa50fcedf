"""The cached answers: their statistics, and how to drop them."""

from fastapi import APIRouter, Depends

from zenith_core.market.tickers import validate_ticker
from zenith_serving.problem_details import RESPONSES
from zenith_serving.routes.dependencies import PREFIX, PredictorDep
from zenith_serving.schemas.predictions import CacheStats, Forgotten
from zenith_serving.security.authentication import require_key

router = APIRouter(prefix=f"{PREFIX}/cache", tags=["cache"])


@router.get("/stats")
def cache_stats(predictor: PredictorDep) -> CacheStats:
    """Count the cached answers, hits and misses: of all processes that share a Redis, or of the one that answers."""
    return CacheStats(**predictor.cache.stats(predictor.snapshots.tickers()))


@router.delete("/{ticker}", responses=RESPONSES, dependencies=[Depends(require_key)])
def forget_ticker(ticker: str, predictor: PredictorDep) -> Forgotten:
    """Drop one ticker's answers, if there are any."""
    name = predictor.snapshots.current_name(validate_ticker(ticker))
    predictor.cache.forget(name)
    return Forgotten(ticker=name, scope=predictor.cache.scope)


@router.delete("", responses=RESPONSES, dependencies=[Depends(require_key)])
def forget_all(predictor: PredictorDep) -> Forgotten:
    """Drop all answers."""
    predictor.cache.forget()
    return Forgotten(ticker=None, scope=predictor.cache.scope)
