"""From a snapshot's distribution to the answer about risk. Pure; no model is asked."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from zenith_core.market.exchanges import sessions_per_year
from zenith_core.risk.forecast_distribution import ForecastDistribution
from zenith_core.risk.touch import touch_probability
from zenith_core.risk.value_at_risk import (
    annual_volatility,
    expected_shortfall,
    expected_volatility,
    value_at_risk,
)
from zenith_core.snapshot import ServingSnapshot
from zenith_serving.errors import DistributionUnavailable
from zenith_serving.prediction.responses import common_fields
from zenith_serving.schemas.risk import (
    PercentTouch,
    PriceTouch,
    RiskAnswer,
    RiskRecord,
    RiskRequest,
    TailRisk,
    TouchRisk,
)

_DIGITS = 6  # of shares and probabilities


def distribution_of(snapshot: ServingSnapshot) -> ForecastDistribution:
    """Return the distribution in a snapshot. Raises DistributionUnavailable if it has none."""
    if snapshot.distribution is None:
        raise DistributionUnavailable(snapshot.ticker, snapshot.no_distribution)
    return snapshot.distribution


def risk_answer(snapshot: ServingSnapshot, request: RiskRequest, now: datetime) -> RiskAnswer:
    """Return the risk of the snapshot's ticker.

    Raises DistributionUnavailable without a distribution, and UserError for a tail or a price beyond its data.
    """
    distribution, horizon = distribution_of(snapshot), request.horizon
    volatility = expected_volatility(distribution, horizon)
    annual = annual_volatility(distribution, horizon, sessions_per_year(snapshot.ticker))
    return RiskAnswer(
        **common_fields(snapshot, now),
        horizon=horizon,
        date=snapshot.next_sessions[horizon - 1],
        scale_version=distribution.scale_version,
        data_version=distribution.data_version,
        volatility=round(volatility, _DIGITS),
        annual_volatility=round(annual, _DIGITS),
        tails=[_tail_risk(distribution, horizon, tail, snapshot.close) for tail in request.tails],
        touch=[_touch_risk(distribution, horizon, level, snapshot.close) for level in request.touch],
        record=_record(snapshot.risk_record, horizon),
    )


def _tail_risk(distribution: ForecastDistribution, horizon: int, tail: float, close: float) -> TailRisk:
    loss = value_at_risk(distribution, horizon, tail)
    return TailRisk(
        tail=tail,
        value_at_risk=round(loss, _DIGITS),
        expected_shortfall=round(expected_shortfall(distribution, horizon, tail), _DIGITS),
        price=round(close * (1 - loss), _DIGITS),
    )


def _touch_risk(
    distribution: ForecastDistribution, horizon: int, level: PercentTouch | PriceTouch, close: float
) -> TouchRisk:
    price = level.price_from(close)
    probability = touch_probability(distribution, horizon, price, close)
    return TouchRisk(
        price=round(price, _DIGITS),
        pct=round(100 * (price / close - 1), 4),
        probability=round(probability.value, _DIGITS),
        limit=probability.limit,
    )


def _record(facts: Mapping[str, Any], horizon: int) -> RiskRecord | None:
    """Return the record at the scored horizon nearest to `horizon`; None if there is none that this release reads."""
    with suppress(ValidationError, KeyError, ValueError):
        nearest = min(facts["horizons"], key=lambda key: abs(int(key) - horizon))
        period = {name: facts[name] for name in ("since", "until")}
        return RiskRecord.model_validate({**facts["horizons"][nearest], **period, "horizon": int(nearest)})
    return None
