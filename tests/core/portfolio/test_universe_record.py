import numpy as np
import pandas as pd
import pytest

from zenith_core.portfolio.universe_record import forecast_row, record, score

DAYS = pd.bdate_range("2024-06-03", periods=12)


def closes(**columns):
    return pd.DataFrame(columns, DAYS[: len(next(iter(columns.values())))], dtype=float)


def forecast(fifths, *, origin="2024-06-04", horizon=5, value_at_risk=0.05):
    tickers = [f"T{number}" for number in range(len(fifths))]
    return forecast_row(origin, horizon, tickers, np.array(fifths, dtype=float), value_at_risk, 0.08)


PRICES = closes(**{f"T{number}": [100] * 6 + [100 + number - 10] * 6 for number in range(5)})  # T4 falls least
SURE = np.eye(5)


def test_sure_and_right_forecasts_score_nothing_and_a_large_loss_is_a_hit():
    outcome = score(forecast(SURE), "2024-06-04T22:00", PRICES)

    assert (outcome["rps"], outcome["target_date"], outcome["tickers"]) == (0, "2024-06-11", 5)
    assert (outcome["loss"], outcome["hit"]) == (pytest.approx(0.08), True)
    assert not score(forecast(SURE, value_at_risk=0.09), "2024-06-04T22:00", PRICES)["hit"]
    assert score(forecast(np.full((5, 5), 0.2)), "2024-06-04T22:00", PRICES)["rps"] == pytest.approx(0.16)


@pytest.mark.parametrize(
    ("row", "made_at"),
    [
        (forecast(SURE, horizon=20), "2024-06-04T22:00"),  # not due
        (forecast(SURE, origin="2024-06-01"), "2024-06-04T22:00"),  # no session
        (forecast(SURE), "2024-06-12T09:00"),  # made after its target session
        (forecast(SURE[:1]), "2024-06-04T22:00"),  # one ticker has no rank
    ],
)
def test_what_cannot_be_scored_has_no_outcome(row, made_at):
    assert score(row, made_at, PRICES) is None


def test_a_ticker_that_is_gone_is_left_out():
    outcome = score(forecast(SURE), "2024-06-04T22:00", PRICES.drop(columns=["T0"]))

    assert outcome["tickers"] == 4
    assert outcome["loss"] == pytest.approx(0.075)


def test_the_record_is_by_horizon():
    row = {"origin": "2024-06-04", "horizon": 5, "rps": 0.15, "hit": True}
    other = {"origin": "2024-06-05", "horizon": 5, "rps": 0.16, "hit": False}
    summary = record([row, other, {**row, "horizon": 20}])

    assert set(summary) == {"5", "20"}
    assert (summary["5"]["outcomes"], summary["5"]["hits"], summary["5"]["expected_hits"]) == (2, 1, 0.1)
    assert summary["5"]["gain"] == pytest.approx(0.005)
    assert summary["5"]["standard_error"] == pytest.approx(np.std([0.15, 0.16], ddof=1))  # one independent outcome
    assert summary["20"]["standard_error"] is None
