from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from tests.core.risk.distributions import normal_distribution
from zenith_core.evaluation.forecast_ledger import RISK_NUMBERS, append_rows, fill_actuals, ledger_rows
from zenith_core.inference import PriceForecast
from zenith_core.snapshot import ServingSnapshot

ORIGIN = date(2024, 1, 1)
NOW = datetime(2024, 1, 1, 22, tzinfo=UTC)


def snapshot(as_of=ORIGIN, close=100.0):
    return ServingSnapshot(
        ticker="AAPL",
        data_version="d1",
        feature_spec="f1",
        as_of=as_of,
        close=close,
        currency="USD",
        volatility=0.02,
        window=np.arange(6, dtype=np.float32).reshape(3, 2) / 7,
        next_sessions=tuple(as_of + timedelta(days=n) for n in range(1, 31)),
        recent=((as_of, close),),
    )


def forecast(price):
    prices = np.full(30, price, dtype=np.float32)
    return PriceForecast(price=prices, quantiles=np.stack([prices - 5, prices, prices + 5], axis=1))


def test_a_forecast_becomes_one_row_per_horizon_with_its_target_session():
    rows = ledger_rows(snapshot(), forecast(101), "lstm", model_version=3, made_at=NOW)

    assert rows["horizon"].tolist() == list(range(1, 31))
    assert rows.loc[4, "target_date"] == pd.Timestamp(2024, 1, 6)
    assert rows.loc[4, ["close", "forecast", "lower", "upper"]].tolist() == [100, 101, 96, 106]
    assert rows["actual"].isna().all()
    assert set(rows["made_at"]) == {NOW}
    assert set(rows["data_version"]) == {"d1"}


def test_a_row_has_the_risk_behind_its_band():
    rows = ledger_rows(snapshot(), forecast(101), "lstm", 3, NOW, normal_distribution(daily=0.02, scale_version="4"))

    fifth = rows.loc[4]
    assert (fifth["scale_version"], fifth["volatility"]) == ("4", pytest.approx(0.02 * 5**0.5, abs=1e-6))
    assert fifth["var_2.5"] == pytest.approx(1 - np.exp(-1.959964 * 0.02 * 5**0.5), abs=1e-5)
    assert fifth["var_5"] < fifth["var_2.5"] < fifth["var_1"] < fifth["es_1"] > fifth["es_2.5"] > fifth["es_5"]
    without = ledger_rows(snapshot(), forecast(101), "lstm", 3, NOW)
    assert without[["scale_version", *RISK_NUMBERS]].isna().all(axis=None)


def test_the_first_forecast_from_an_origin_is_not_replaced():
    first = ledger_rows(snapshot(), forecast(101), "lstm", model_version=3, made_at=NOW)
    again = append_rows(first, ledger_rows(snapshot(), forecast(999), "lstm", model_version=3, made_at=NOW))

    assert len(again) == 30
    assert set(again["forecast"]) == {101.0}


def test_another_model_version_is_kept_beside_the_first():
    both = append_rows(
        ledger_rows(snapshot(), forecast(101), "lstm", 3, NOW), ledger_rows(snapshot(), forecast(102), "lstm", 4, NOW)
    )

    assert both.groupby("model_version")["forecast"].first().to_dict() == {3: 101.0, 4: 102.0}


def test_only_closed_sessions_are_scored():
    close = pd.Series([100.0, 103.0], index=pd.DatetimeIndex(["2024-01-01", "2024-01-02"]))

    ledger = fill_actuals(ledger_rows(snapshot(), forecast(101), "lstm", 3, NOW), close)

    assert ledger.loc[0, "actual"] == 103
    assert ledger.loc[1:, "actual"].isna().all()


def test_a_split_after_the_forecast_does_not_change_the_actual():
    half_prices = pd.Series([50.0, 51.5], index=pd.DatetimeIndex(["2024-01-01", "2024-01-02"]))

    ledger = fill_actuals(ledger_rows(snapshot(), forecast(101), "lstm", 3, NOW), half_prices)

    assert ledger.loc[0, "actual"] == pytest.approx(103)


def test_a_snapshot_survives_json_bit_for_bit():
    before = snapshot(close=1 / 3)

    after = ServingSnapshot.from_json(before.to_json())

    assert after.window.dtype == np.float32
    np.testing.assert_array_equal(after.window, before.window)
    assert {**vars(after), "window": None} == {**vars(before), "window": None}
