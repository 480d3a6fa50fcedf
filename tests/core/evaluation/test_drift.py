from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from zenith_core.evaluation.drift import ALPHA, coverage_breach, feature_drift
from zenith_core.forecasting.abstention import Limits
from zenith_core.snapshot import ServingSnapshot

ORIGINS = pd.bdate_range("2026-01-05", periods=100)


def ledger(inside, horizon=1, made_after=0):
    """One forecast for each of `inside`, made on neighbouring days, `made_after` days after its target day."""
    origins = ORIGINS[: len(inside)]
    targets = origins + pd.offsets.BDay(horizon)
    made_at = (targets + pd.Timedelta(days=made_after)) if made_after else origins
    return pd.DataFrame(
        {
            "made_at": made_at.tz_localize("UTC"),
            "origin": origins,
            "horizon": horizon,
            "target_date": targets,
            "lower": 9.0,
            "upper": 11.0,
            "actual": np.where(inside, 10.0, 12.0),
        }
    )


def hits(count, of):
    return [index < count for index in range(of)]


def test_bands_that_miss_more_often_than_chance_allows_are_a_breach():
    assert coverage_breach(ledger(hits(45, 60))).spoken() == (
        "75% of the last 60 forecasts 1 session ahead came true within their 90% band"
    )
    assert coverage_breach(ledger(hits(50, 60))) is None  # 83 %, as bad as one such quarter in thirteen


def test_overlapping_forecasts_count_as_fewer():
    assert coverage_breach(ledger(hits(45, 60), horizon=5)) is None  # 12 independent ones
    assert "5 sessions ahead" in coverage_breach(ledger(hits(25, 60), horizon=5)).spoken()


@pytest.mark.slow
def test_a_few_forecasts_say_nothing():
    assert coverage_breach(ledger(hits(0, 9))) is None
    assert coverage_breach(ledger(hits(0, 10))) is not None
    assert coverage_breach(ledger(hits(0, 49), horizon=5)) is None


def test_only_the_newest_sixty_count():
    assert coverage_breach(ledger([False] * 40 + [True] * 60)) is None


def test_forecasts_made_after_the_fact_do_not_count():
    assert coverage_breach(ledger(hits(0, 60), made_after=1)) is None


def test_forecasts_that_have_not_matured_do_not_count():
    assert coverage_breach(ledger(hits(0, 60)).assign(actual=np.nan)) is None


def test_forecasts_from_before_a_retraining_count_no_more():
    table = ledger(hits(0, 60))

    assert coverage_breach(table, since=datetime(2025, 1, 1, tzinfo=UTC)) is not None
    assert coverage_breach(table, since=ORIGINS[52].tz_localize("UTC").to_pydatetime()) is None


def test_one_forecast_for_each_origin_counts():
    again = pd.concat([ledger(hits(0, 6)).assign(model_version=version) for version in (1, 2)])

    assert coverage_breach(again) is None  # six origins, not twelve


@pytest.mark.slow
def test_honest_bands_seldom_sound_the_alarm():
    draws = np.random.default_rng(0).random((2_000, 60)) < 0.9

    alarms = sum(coverage_breach(ledger(row)) is not None for row in draws[:500])

    assert alarms <= 500 * ALPHA * 4


LIMITS = Limits(lower=np.zeros(2), upper=np.ones(2), base_rates=np.full(3, 1 / 3))


def snapshot(rows):
    window = np.array(rows, dtype=np.float32)
    return ServingSnapshot("AAPL", "v", "s", date(2026, 1, 5), 9.0, "USD", 0.1, window, ())


@pytest.mark.parametrize(("outside", "drifts"), [(0, False), (10, False), (11, True), (20, True)])
def test_inputs_that_are_mostly_outside_the_training_range_have_drifted(outside, drifts):
    rows = [[0.5, 0.5]] * (20 - outside) + [[0.5, 1.2]] * outside

    assert (feature_drift(snapshot(rows), LIMITS) is not None) is drifts


def test_the_drift_is_told_in_days_of_the_last_month():
    rows = [[0.5, 9.0]] * 40 + [[0.5, 0.5]] * 5 + [[-1.0, 0.5]] * 15

    assert feature_drift(snapshot(rows), LIMITS).spoken() == (
        "on 15 of the last 20 sessions the inputs were outside the range of the training"
    )
