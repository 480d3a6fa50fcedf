"""Tests and scores of risk forecasts, against published and hand-worked figures."""

import math

import numpy as np
import pytest
from scipy.stats import chi2, norm

from zenith_core.risk.backtest import (
    fz0_loss,
    hits,
    independence_test,
    kupiec_test,
    normal_risk,
    qlike_loss,
    risk_record,
    volatility_record,
)


def some_hits(count, rows):
    return np.arange(rows) < count


def test_a_hit_is_a_loss_above_the_value_at_risk():
    assert hits(np.array([0.03, 0.02, -0.01]), np.array([0.02, 0.02, 0.02])).tolist() == [True, False, False]


def test_kupiec_of_jp_morgan_in_1998():
    """20 exceptions in 252 days at 95 %: LR 3.91 (Jorion 2006, Value at Risk, section 6.2)."""
    statistic, p_value = kupiec_test(some_hits(20, 252), 0.05)

    assert statistic == pytest.approx(3.91, abs=0.005)
    assert p_value == pytest.approx(chi2.sf(statistic, 1))


@pytest.mark.parametrize(
    ("tail", "days", "inside", "outside"),
    [  # Kupiec's nonrejection regions at 5 %, as in Jorion (2006), table 6-2
        (0.01, 255, [6], [7]),
        (0.01, 510, [2, 10], [1, 11]),
        (0.01, 1000, [5, 16], [4, 17]),
        (0.025, 255, [3, 11], [2, 12]),
        (0.05, 255, [7, 20], [6, 21]),
        (0.05, 1000, [38, 64], [37, 65]),
    ],
)
def test_kupiec_accepts_and_rejects_as_his_table(tail, days, inside, outside):
    assert all(kupiec_test(some_hits(count, days), tail).p_value > 0.05 for count in inside)
    assert all(kupiec_test(some_hits(count, days), tail).p_value < 0.05 for count in outside)


def test_kupiec_without_any_hit_and_with_the_expected_share():
    assert kupiec_test(some_hits(0, 255), 0.01).statistic == pytest.approx(-2 * 255 * math.log(0.99))
    assert kupiec_test(some_hits(5, 100), 0.05) == (pytest.approx(0, abs=1e-12), pytest.approx(1))
    assert kupiec_test(some_hits(3, 3), 0.05).statistic == pytest.approx(-6 * math.log(0.05))
    assert np.isnan(kupiec_test(some_hits(0, 0), 0.05)).all()


def test_independence_of_jp_morgan_in_1998():
    """14 exceptions after none of 232, 6 after an exception of 20: LR 9.53 (Jorion 2006, section 6.2)."""
    runs = 8 * [True, False] + 6 * [True, True, False]  # 20 hits in 14 runs, each after and before a day without
    row = np.array([False] * (253 - len(runs)) + runs)  # 252 pairs of days

    before, after = row[:-1], row[1:]
    assert (np.sum(before & after), np.sum(before & ~after), np.sum(~before & after)) == (6, 14, 14)
    statistic, p_value = independence_test(row)

    assert statistic == pytest.approx(9.53, abs=0.005)
    assert p_value == pytest.approx(chi2.sf(statistic, 1))


def test_independence_is_undefined_without_a_pair_that_begins_with_a_hit():
    assert np.isnan(independence_test(some_hits(0, 20))).all()
    assert np.isnan(independence_test(np.arange(20) == 19)).all()
    assert np.isnan(independence_test(some_hits(20, 20))).all()


def test_fz0_worked_by_hand():
    loss = fz0_loss(np.array([0.01, 0.05]), np.array([0.02, 0.02]), np.array([0.04, 0.04]), 0.05)

    assert loss == pytest.approx([0.5 + math.log(0.04) - 1, 0.03 / 0.002 + 0.5 + math.log(0.04) - 1])


def test_fz0_is_least_at_the_true_value_at_risk_and_expected_shortfall():
    losses = -norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    var, es = normal_risk(np.array([1.0]), 0.05)
    var, es = -math.log1p(-var[0]), -math.log1p(-es[0])  # of a standard normal loss

    def mean_loss(value_at_risk, shortfall):
        each = np.full(len(losses), 1.0)
        return fz0_loss(losses, value_at_risk * each, shortfall * each, 0.05).mean()

    true = mean_loss(var, es)
    assert all(
        mean_loss(var * a, es * b) > true for a, b in [(0.9, 1), (1.1, 1), (1, 0.9), (1, 1.1), (0.9, 0.9), (1.1, 1.1)]
    )


def test_fz0_is_undefined_where_no_loss_is_expected_or_the_order_is_wrong():
    loss = fz0_loss(np.zeros(3), np.array([0.0, -0.01, 0.03]), np.array([0.01, 0.01, 0.02]), 0.05)

    assert np.isnan(loss).all()


def test_qlike_worked_by_hand():
    loss = qlike_loss(np.array([4.0, 4.0, 2.0, 0.0]), np.array([4.0, 2.0, 4.0, 1.0]))

    assert loss[:3] == pytest.approx([0, 2 - math.log(2) - 1, 0.5 + math.log(2) - 1])
    assert np.isnan(loss[3])


def test_normal_risk_has_the_known_five_per_cent():
    var, es = normal_risk(np.array([0.01]), 0.05)

    assert var[0] == pytest.approx(1 - math.exp(-0.016449), abs=1e-6)
    assert es[0] == pytest.approx(1 - math.exp(-0.020627), abs=1e-6)


def make_losses(rows=2000):
    losses = -np.expm1(0.01 * np.random.default_rng(3).standard_normal(rows))
    return losses, np.full(rows, 0.01)


def test_the_record_of_the_right_forecast_passes_and_that_of_half_the_risk_is_rejected():
    losses, volatility = make_losses()
    right, half = normal_risk(volatility, 0.05), normal_risk(volatility / 2, 0.05)

    good = risk_record(losses, *right, volatility, tail=0.05, horizon=1)
    bad = risk_record(losses, *half, volatility, tail=0.05, horizon=1)

    assert good["hits"] == np.sum(losses > right.value_at_risk)
    assert good["hit_rate"] == good["hits"] / 2000
    assert good["kupiec_p"] > 0.05
    assert good["fz0_gain"] == 0
    assert bad["kupiec_p"] < 1e-6
    assert bad["fz0_gain"] < -0.1


def test_tests_take_rows_one_horizon_apart_and_need_enough_of_them():
    losses, volatility = make_losses(200)
    right = normal_risk(volatility, 0.05)

    every_fourth = risk_record(losses, *right, volatility, tail=0.05, horizon=4)
    every_fifth = risk_record(losses, *right, volatility, tail=0.05, horizon=5)

    assert every_fourth["kupiec_p"] == kupiec_test((losses > right.value_at_risk)[::4], 0.05).p_value
    assert every_fourth["rows"] == 200
    assert every_fifth["kupiec_p"] is None and every_fifth["independence_p"] is None
    assert every_fifth["fz0"] is not None


def test_a_record_without_rows_is_empty():
    none = np.array([])

    assert risk_record(none, none, none, none, tail=0.05, horizon=1) == {
        "tail": 0.05, "horizon": 1, "rows": 0, "hits": 0, "hit_rate": None, "kupiec_p": None, "independence_p": None,
        "fz0": None, "fz0_ewma": None, "fz0_gain": None,
    }  # fmt: skip
    assert volatility_record(none, none, none) == {"rows": 0, "qlike": None, "qlike_ewma": None, "qlike_skill": None}


def test_the_volatility_record_leaves_out_rows_without_movement():
    record = volatility_record(np.array([4.0, 0.0]), np.array([2.0, 1.0]), np.array([math.sqrt(2), 1.0]))

    assert record["rows"] == 1
    assert record["qlike"] == pytest.approx(0)
    assert record["qlike_ewma"] == pytest.approx(1 - math.log(2))
    assert record["qlike_skill"] == pytest.approx(1)
