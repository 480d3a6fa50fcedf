"""The report's section on risk, from the distribution in a snapshot."""

from zenith_core.market.exchanges import sessions_per_year
from zenith_core.report.document import Risk, TailLoss, Touch
from zenith_core.risk.forecast_distribution import ForecastDistribution
from zenith_core.risk.touch import touch_probability
from zenith_core.risk.value_at_risk import annual_volatility, expected_shortfall, value_at_risk
from zenith_core.snapshot import ServingSnapshot

HORIZONS = (1, 5, 30)
TAILS = (0.05, 0.01)
LEVELS = (10, 5, 3, -3, -5, -10)
"""Changes from the close, in per cent, whose touch probabilities are shown."""

_DIGITS = 6  # of shares, probabilities and prices


def risk_of(snapshot: ServingSnapshot) -> list[Risk]:
    """Return the risk at each of HORIZONS; empty without a distribution."""
    if snapshot.distribution is None:
        return []
    return [_risk(snapshot, snapshot.distribution, horizon) for horizon in HORIZONS]


def _risk(snapshot: ServingSnapshot, distribution: ForecastDistribution, horizon: int) -> Risk:
    return Risk(
        horizon=horizon,
        annual_volatility=round(annual_volatility(distribution, horizon, sessions_per_year(snapshot.ticker)), _DIGITS),
        tails=[
            TailLoss(
                tail=tail,
                value_at_risk=round(value_at_risk(distribution, horizon, tail), _DIGITS),
                expected_shortfall=round(expected_shortfall(distribution, horizon, tail), _DIGITS),
            )
            for tail in TAILS
        ],
        touch=[_touch(distribution, horizon, pct, snapshot.close) for pct in LEVELS],
    )


def _touch(distribution: ForecastDistribution, horizon: int, pct: float, close: float) -> Touch:
    price = close * (1 + pct / 100)
    chance = touch_probability(distribution, horizon, price, close)
    return Touch(pct=pct, price=round(price, _DIGITS), probability=round(chance.value, _DIGITS), limit=chance.limit)
