import json

import numpy as np
import pandas as pd
import pytest

from zenith_core.evaluation.forecast_ledger import COLUMNS
from zenith_core.evaluation.track_record import ORIGINS, track_record

DAYS = pd.bdate_range("2026-01-01", periods=400)


def ledger(origins=1, horizon=1, *, made_after=0, **values):
    """Forecasts made day by day, `made_after` days after their origin; forecast 102, close 100, actual 104."""
    days = DAYS[:origins]
    rows = {
        "made_at": days.tz_localize("UTC") + pd.Timedelta(days=made_after, hours=22),
        "origin": days,
        "horizon": horizon,
        "target_date": days + pd.offsets.BDay(horizon),
        **{"close": 100.0, "forecast": 102.0, "lower": 98.0, "upper": 106.0, "actual": 104.0},
        **{"model_type": "lstm", "model_version": 1, "data_version": "d"},
    }
    return pd.DataFrame({**rows, **values}, columns=list(COLUMNS))


def test_matured_forecasts_are_summarized_beside_the_naive_forecast():
    outside = ledger(4).assign(actual=[104.0, 104.0, 110.0, np.nan])

    summary = track_record(outside)["summary"]["1"]

    assert summary["matured"] == 3
    assert summary["coverage"] == pytest.approx(2 / 3)
    assert summary["mae"] == pytest.approx((0.02 + 0.02 + 0.08) / 3)
    assert summary["mae_naive"] == pytest.approx((0.04 + 0.04 + 0.10) / 3)


def test_where_nothing_has_matured_there_are_no_figures():
    summary = track_record(ledger(3).assign(actual=np.nan))["summary"]

    nothing = {"matured": 0, "coverage": None, "mae": None, "mae_naive": None}
    assert summary == {"1": nothing, "5": nothing, "20": nothing}


def test_a_forecast_made_after_its_day_is_shown_as_such_and_not_counted():
    record = track_record(pd.concat([ledger(horizon=1, made_after=4), ledger(horizon=20, made_after=4)]))

    assert [(row["horizon"], row["in_the_open"]) for row in record["forecasts"]] == [(1, False), (20, True)]
    assert [record["summary"][horizon]["matured"] for horizon in ("1", "20")] == [0, 1]


def test_another_version_s_forecast_from_the_same_origin_is_no_further_evidence():
    again = pd.concat([ledger(), ledger(model_version=2, forecast=103.0, made_after=0.01)])

    record = track_record(again)

    assert [(row["model_version"], row["forecast"]) for row in record["forecasts"]] == [("2", 103.0)]
    assert record["summary"]["1"]["matured"] == 1


def test_a_forecast_in_the_open_is_not_replaced_by_one_made_when_the_price_was_known():
    record = track_record(pd.concat([ledger(), ledger(model_version=2, forecast=104.0, made_after=9)]))

    assert [row["model_version"] for row in record["forecasts"]] == ["1"]
    assert record["summary"]["1"]["mae"] == pytest.approx(0.02)


def test_only_the_newest_origins_are_listed_and_all_are_summed_up():
    record = track_record(ledger(ORIGINS + 20))

    assert [row["origin"] for row in record["forecasts"]] == [str(day.date()) for day in DAYS[20 : ORIGINS + 20]]
    assert record["summary"]["1"]["matured"] == ORIGINS + 20


def test_horizons_that_are_not_evaluated_are_left_out():
    assert track_record(ledger(horizon=7))["forecasts"] == []


def test_a_forecast_has_its_dates_and_an_unknown_actual_is_null():
    (row,) = json.loads(json.dumps(track_record(ledger(actual=np.nan)), allow_nan=False))["forecasts"]

    assert row == {
        "origin": "2026-01-01",
        "target_date": "2026-01-02",
        "horizon": 1,
        "made_at": "2026-01-01T22:00:00+00:00",
        **{"close": 100.0, "forecast": 102.0, "lower": 98.0, "upper": 106.0, "actual": None},
        "model_type": "lstm",
        "model_version": "1",
        "in_the_open": True,
    }
