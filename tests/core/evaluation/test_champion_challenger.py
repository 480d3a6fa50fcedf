import numpy as np
import pandas as pd
import pytest

from zenith_core.evaluation.champion_challenger import (
    compare_prices,
    compare_signals,
    coverage_p_value,
    coverages,
    price_pairs,
    signal_pairs,
)

DAYS = pd.bdate_range("2020-01-01", periods=4)


def prices(origins, forecast, actual, close=100.0, horizon=1, lower=90.0, upper=110.0):
    return pd.DataFrame(
        {
            "origin": origins,
            "horizon": horizon,
            "close": close,
            "forecast": forecast,
            "lower": lower,
            "upper": upper,
            "actual": actual,
        }
    )


def test_only_common_rows_with_a_known_outcome_are_paired():
    candidate = prices(DAYS[1:], 101.0, [102.0, np.nan, 99.0])
    champion = prices(DAYS[:3], 100.0, [100.0, 102.0, 103.0])

    pairs = price_pairs(candidate, champion)

    assert pairs["origin"].tolist() == [DAYS[1]]
    assert pairs["error_candidate"].tolist() == pytest.approx([-0.01])
    assert pairs["error_champion"].tolist() == pytest.approx([-0.02])


def test_prices_restated_after_the_champion_was_trained_change_nothing():
    candidate = prices(DAYS, 101.0, [99.0, 101.0, 95.0, 120.0])
    champion = prices(DAYS, 101.0, [99.0, 101.0, 95.0, 120.0])
    half_prices = prices(DAYS, 50.5, [1.0, 2.0, 3.0, 4.0], close=50.0, lower=45.0, upper=55.0)

    pd.testing.assert_frame_equal(price_pairs(candidate, half_prices), price_pairs(candidate, champion))
    assert price_pairs(candidate, half_prices)["inside_champion"].tolist() == [True, True, True, False]


def test_a_horizon_is_weighted_by_the_random_walk_error():
    near, far = prices(DAYS[:1], 101.0, 100.0, horizon=1), prices(DAYS[:1], 102.0, 100.0, horizon=4)

    both = pd.concat([near, far])

    assert compare_prices(price_pairs(both, both))["candidate"] == pytest.approx(1e-4)


def errors(seed, size, rows=400):
    return 100 + np.random.default_rng(seed).normal(0, size, rows)


def test_a_larger_loss_is_told_from_noise():
    days = pd.bdate_range("2020-01-01", periods=400)
    good, bad = (prices(days, errors(seed, size), 100.0) for seed, size in ((1, 1.0), (3, 1.4)))
    equal = good.assign(forecast=good["forecast"].to_numpy()[::-1])

    assert compare_prices(price_pairs(bad, good))["p_worse"] < 0.001
    assert compare_prices(price_pairs(equal, good))["p_worse"] == pytest.approx(0.5)
    assert compare_prices(price_pairs(good, bad))["p_worse"] > 0.999
    assert compare_prices(price_pairs(good, good))["p_worse"] is None


def test_no_common_rows_are_a_defined_result():
    pairs = price_pairs(prices(DAYS[:2], 101.0, 100.0), prices(DAYS[2:], 101.0, 100.0))

    assert compare_prices(pairs) == {"origins": 0, "candidate": None, "champion": None, "p_worse": None}
    assert coverages(pairs) == []


def test_coverage_is_counted_at_some_horizons_with_the_number_of_independent_rows():
    days = pd.bdate_range("2020-01-01", periods=10)
    table = pd.concat([prices(days, 100.0, [100.0] * 8 + [120.0] * 2, horizon=h) for h in (1, 2, 5)])
    narrow = table.assign(lower=100.5)

    comparison = coverages(price_pairs(table, narrow))

    assert [(row["horizon"], row["rows"], row["independent"]) for row in comparison] == [
        (1, 10, 10),
        (5, 10, 2),
    ]
    assert [(row["candidate"], row["champion"]) for row in comparison] == [(0.8, 0.0)] * 2


def signals(days, buy, label):
    return pd.DataFrame({"date": days, "sell": 0.0, "hold": 1 - np.asarray(buy), "buy": buy, "label": label})


def test_signals_are_scored_by_their_brier_score_where_the_label_is_known():
    candidate = signals(DAYS, [1.0, 0.5, 0.0, 1.0], ["buy", "buy", "buy", ""])
    champion = signals(DAYS[1:], [1.0, 1.0, 1.0], ["", "", ""])

    pairs = signal_pairs(candidate, champion)

    assert pairs["origin"].tolist() == list(DAYS[1:3])
    assert pairs["brier_candidate"].tolist() == [0.5, 2.0]
    assert pairs["brier_champion"].tolist() == [0.0, 0.0]
    assert compare_signals(pairs, 1)["candidate"] == 1.25


@pytest.mark.parametrize(
    ("coverage", "independent", "p_value"),
    [
        (0.9, 20.0, 1.0),
        (0.0, 1.9, 0.2),  # a single row: one in ten misses, on either side
        (0.2, 5.0, 2 * (0.1**5 + 5 * 0.9 * 0.1**4)),
        (1.0, 44.0, 2 * 0.9**44),
        (0.0, 0.8, 1.0),
    ],
)
def test_how_likely_a_coverage_is_by_chance(coverage, independent, p_value):
    assert coverage_p_value(coverage, independent) == pytest.approx(p_value)
