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
        "record": None,
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


def test_the_reason_of_the_refresh_is_part_of_the_message(models):
    snapshot = models.snapshot("AAPL", no_distribution="the price stands still")

    with pytest.raises(
        DistributionUnavailable, match=r"no distribution of returns \(the price stands still\): .* allow it"
    ):
        risk_answer(snapshot, RiskRequest(ticker="AAPL"), NOW)


TAIL = {"tail": 0.05, "rows": 900, "hits": 45, "hit_rate": 0.05, "kupiec_p": 1.0, "independence_p": None}
TAIL |= {"fz0": -2.5, "fz0_ewma": -2.4, "fz0_gain": 0.1}
VOLATILITY = {"rows": 900, "qlike": 0.2, "qlike_ewma": 0.25, "qlike_skill": 0.2}


@pytest.mark.parametrize(("horizon", "nearest"), [(1, 1), (2, 1), (4, 5), (30, 20)])
def test_the_record_is_that_of_the_nearest_scored_horizon(models, horizon, nearest):
    horizons = {name: {"tails": [TAIL | {"hits": int(name)}], "volatility": VOLATILITY} for name in ("1", "5", "20")}
    record = {"since": "2009-01-02", "until": "2013-02-28", "horizons": horizons}
    snapshot = models.snapshot("AAPL", distribution=normal_distribution(), risk_record=record)

    answer = risk_answer(snapshot, RiskRequest(ticker="AAPL", horizon=horizon), NOW).record

    assert (answer.horizon, answer.tails[0].hits, answer.until) == (nearest, nearest, date(2013, 2, 28))


@pytest.mark.parametrize("record", [{}, {"horizons": {}}, {"since": "2009-01-02", "until": "x", "horizons": {"1": {}}}])
def test_a_record_of_another_form_is_left_out(models, record):
    snapshot = models.snapshot("AAPL", distribution=normal_distribution(), risk_record=record)

    assert risk_answer(snapshot, RiskRequest(ticker="AAPL"), NOW).record is None


def test_what_is_beyond_the_data_is_refused(models):
    with pytest.raises(UserError, match=r"tail 0\.0001 is beyond the data"):
        ask(models, tails=[0.0001])
    with pytest.raises(UserError, match="above or below the last close, 100"):
        ask(models, touch=[{"price": 100.0}])
