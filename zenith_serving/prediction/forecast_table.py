"""The forecasts of many tickers as one table."""

import csv
import io
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from zenith_core.csv_text import without_formula
from zenith_core.errors import UserError, ZenithError
from zenith_serving.errors import DistributionUnavailable
from zenith_serving.prediction.predictor import Predictor
from zenith_serving.problem_details import problem_of
from zenith_serving.schemas.forecasts import ForecastRow, columns
from zenith_serving.schemas.predictions import PriceAnswer
from zenith_serving.schemas.risk import RiskRequest

TAIL = 0.05
RECENT = 30  # sessions


def forecast_row(predictor: Predictor, ticker: str, horizon: int, quantiles: Sequence[float] = ()) -> ForecastRow:
    """Return the row of a validated ticker. One without a forecast has the reason in its row.

    quantiles: levels whose prices to add

    Raises UserError for a horizon or a level beyond the data.
    """
    about: dict[str, Any] = {"alerts": predictor.recent_alerts(ticker)}
    try:
        try:
            price = predictor.predict_price(ticker, horizon, quantiles=quantiles)
        except DistributionUnavailable as error:
            about |= _problem(error)
            price = predictor.predict_price(ticker, horizon)
    except UserError:
        raise
    except ZenithError as error:
        return ForecastRow(ticker=ticker, horizon=horizon, **about | _problem(error))
    parts = _price(price) | _recent(predictor, ticker) | _risk(predictor, ticker, horizon) | _signal(predictor, ticker)
    return ForecastRow(ticker=ticker, horizon=horizon, **about, **parts)


def _problem(error: ZenithError) -> dict[str, str]:
    document = problem_of(error)
    return {"problem": document.detail, "problem_type": document.type}


def _price(price: PriceAnswer) -> dict[str, Any]:
    last = price.predictions[-1]
    return {
        "as_of": price.as_of,
        "close": price.current_price,
        "currency": price.currency,
        "target_date": last.date,
        "price": last.price,
        "change_pct": last.change_pct,
        "lower": last.lower,
        "upper": last.upper,
        "quantiles": {str(each.level): each.prices[-1] for each in price.quantiles},
        "beats_naive": price.skill.beats_naive,
        "evidence": price.evidence,
        "model_version": price.model_version,
        "model_data_end": price.model_data_end,
        "stale": price.stale,
    }


def _recent(predictor: Predictor, ticker: str) -> dict[str, Any]:
    with suppress(ZenithError):
        closes = [close for _, close in predictor.snapshots.get(ticker).recent[-RECENT:]]
        return {"recent": closes, "previous_close": closes[-2] if len(closes) > 1 else None}
    return {}


def _risk(predictor: Predictor, ticker: str, horizon: int) -> dict[str, Any]:
    with suppress(ZenithError):
        risk = predictor.predict_risk(RiskRequest(ticker=ticker, horizon=horizon, tails=[TAIL]))
        return {"volatility": risk.volatility, "value_at_risk": risk.tails[0].value_at_risk}
    return {}


def _signal(predictor: Predictor, ticker: str) -> dict[str, Any]:
    with suppress(ZenithError):
        signal = predictor.predict_signal(ticker)
        return {"signal": signal.signal, "reason_code": signal.reason_code}
    return {}


def to_csv(rows: Iterable[ForecastRow], quantiles: Sequence[float] = ()) -> str:
    """Return the rows as CSV with a header. An empty cell has no value, and no text is a formula."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(quantiles), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: without_formula(cell) for name, cell in row.cells(quantiles).items()} for row in rows)
    return text.getvalue()
