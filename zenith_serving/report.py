"""The report of a ticker, put together on demand from the facts that the pipelines keep beside their tables."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from zenith_core.errors import CorruptData, ZenithError
from zenith_core.model_kinds.tasks import Task
from zenith_core.names import ALL_TICKERS, HORIZONS, TRIALS
from zenith_core.report.among_all import among_all
from zenith_core.report.compose import Facts, compose_report
from zenith_core.report.document import AmongAll, Claim, ForecastPoint, LatestPrices, LatestSignal, Report
from zenith_core.snapshot import STALE_AFTER_SESSIONS
from zenith_serving.portfolio.universe_store import UniverseStore
from zenith_serving.prediction.predictor import Predictor, utc_now
from zenith_serving.prediction.responses import age_in_sessions
from zenith_serving.published.dataset_reader import DatasetReader


def report_of(data: Path, predictor: Predictor, universe: UniverseStore, ticker: str) -> Report:
    """Return the report of a ticker; `data` holds a folder for each dataset.

    Raises UnknownTicker, TickerGone or CorruptData. Without a model that answers there is no forecast or signal.
    """
    snapshot = predictor.snapshots.get(ticker)
    forecast, signal = _latest_prices(predictor, snapshot.ticker), _latest_signal(predictor, snapshot.ticker)
    age = age_in_sessions(snapshot, utc_now())
    freshness = {"age_sessions": age, "stale": age > STALE_AFTER_SESSIONS}

    def judge(task: Task, horizon: int) -> Claim:
        return Claim(**predictor.universe.judge(snapshot.ticker, task, horizon).model_dump())

    place = _among_all(universe, snapshot.ticker)
    report = compose_report(snapshot, facts_reader(data, snapshot.ticker), forecast, signal, judge, place)
    return report.model_copy(update=freshness)


def facts_reader(data: Path, ticker: str) -> Facts:
    """Return the function that reads the facts of a dataset of a validated ticker, or of all tickers."""
    return lambda asset: facts_of(data, asset, ALL_TICKERS if asset == TRIALS else ticker)


def facts_of(data: Path, asset: str, ticker: str) -> dict[str, Any]:
    """Return the facts of a dataset of a validated ticker; empty if there are none that can be read."""
    with suppress(CorruptData):  # logged
        return DatasetReader(data / asset).find(ticker) or {}
    return {}


def _among_all(store: UniverseStore, ticker: str) -> AmongAll | None:
    with suppress(ZenithError):  # no forecast of all tickers yet, or a damaged one, which is logged
        universe, ranks = store.get()
        return among_all(ticker, universe.as_of, ranks, store.record())
    return None


def _latest_prices(predictor: Predictor, ticker: str) -> LatestPrices | None:
    with suppress(ZenithError):
        answer = predictor.predict_price(ticker, HORIZONS)
        return LatestPrices(
            model_type=answer.model_type,
            model_version=_number(answer.model_version),
            confidence=answer.confidence,
            predictions=[ForecastPoint(**point.model_dump()) for point in answer.predictions],
        )
    return None


def _latest_signal(predictor: Predictor, ticker: str) -> LatestSignal | None:
    with suppress(ZenithError):
        answer = predictor.predict_signal(ticker)
        return LatestSignal(
            model_type=answer.model_type,
            model_version=_number(answer.model_version),
            signal=answer.signal,
            reason_code=answer.reason_code,
            probabilities=answer.probabilities.model_dump() if answer.probabilities else None,
        )
    return None


def _number(version: str) -> int | None:
    """Return the number of a version; None for an answer without a model."""
    return int(version) if version.isdigit() else None
