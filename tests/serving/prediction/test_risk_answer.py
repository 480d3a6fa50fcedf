"""The risk of a ticker, from its snapshot alone."""

import math
from datetime import UTC, date, datetime

import pytest

from tests.core.risk.distributions import NORMAL, normal_distribution
from zenith_core.errors import UserError
from zenith_core.names import DISCLAIMER
from zenith_serving.errors import DistributionUnavailable
from zenith_serving.prediction.risk_answer import risk_answer
from zenith_serving.schemas.risk import RiskRequest

NOW = datetime(2013, 3, 4, 21, tzinfo=UTC)


def ask(models, ticker="AAPL", *, distribution=None, **request):
    snapshot = models.snapshot(ticker, distribution=distribution or normal_distribution())
    return risk_answer(snapshot, RiskRequest.model_validate({"ticker": ticker, **request}), NOW)


def test_a_risk_answer_has_every_field(models):
    answer = ask(models, horizon=4, tails=[0.05], touch=[{"pct": 3}, {"price": 95.0}, {"pct": 90}]).model_dump()

    assert {name: value for name, value in answer.items() if name not in ("tails", "touch")} == {
        "ticker": "AAPL",
        "current_price": 100.0,
        "as_of": date(2013, 3, 1),
        "currency": "USD",
        "stale": False,
        "age_sessions": 1,
        "cached": False,
        "timestamp": NOW,
        "disclaimer": DISCLAIMER,
        "horizon": 4,
        "date": date(2013, 3, 7),
        "scale_version": "7",
        "data_version": "abcdef",
        "volatility": 0.02,
        "annual_volatility": round(0.01 * math.sqrt(252), 6),
    }
    loss = 1 - math.exp(0.02 * NORMAL.inv_cdf(0.05))
    shortfall = 1 - math.exp(-0.02 * NORMAL.pdf(NORMAL.inv_cdf(0.05)) / 0.05)
    assert answer["tails"] == [
        {
            "tail": 0.05,
            "value_at_risk": pytest.approx(loss, abs=1e-6),
            "expected_shortfall": pytest.approx(shortfall, abs=1e-6),
            "price": pytest.approx(100 * (1 - loss), abs=1e-4),
        }
    ]
    assert [(level["price"], level["pct"], level["limit"]) for level in answer["touch"]] == [
        (103.0, 3.0, None),
        (95.0, -5.0, None),
        (190.0, 90.0, "at_most"),
    ]
    assert [level["probability"] for level in answer["touch"]] == pytest.approx(
        [2 * NORMAL.cdf(-math.log(1.03) / 0.02), 2 * NORMAL.cdf(math.log(0.95) / 0.02), 0.001], abs=0.004
    )


def test_the_default_is_five_sessions_and_three_tails(models):
    answer = ask(models)

    assert (answer.horizon, [tail.tail for tail in answer.tails], answer.touch) == (5, [0.01, 0.025, 0.05], [])
    assert [tail.value_at_risk for tail in answer.tails] == sorted(
        (t.value_at_risk for t in answer.tails), reverse=True
    )


@pytest.mark.parametrize(("ticker", "sessions"), [("AAPL", 252), ("BTC-USD", 365), ("EURUSD", 260), ("VOE.VIX", 252)])
def test_a_year_has_the_sessions_of_the_ticker_s_market(models, ticker, sessions):
    assert ask(models, ticker, horizon=1).annual_volatility == pytest.approx(0.01 * math.sqrt(sessions), abs=1e-6)


def test_a_snapshot_without_a_distribution_names_the_command_that_computes_it(models):
    with pytest.raises(
        DistributionUnavailable, match="AAPL hold no .* yet: `zenith job refresh_prices --tickers AAPL`"
    ):
        risk_answer(models.snapshot("AAPL"), RiskRequest(ticker="AAPL"), NOW)


def test_what_is_beyond_the_data_is_refused(models):
    with pytest.raises(UserError, match=r"tail 0\.0001 is beyond the data"):
        ask(models, tails=[0.0001])
    with pytest.raises(UserError, match="above or below the last close, 100"):
        ask(models, touch=[{"price": 100.0}])
