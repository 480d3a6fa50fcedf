"""Verdicts: a model is favoured only by evidence that neither chance nor many trials explain."""

import pytest

from zenith_core.evidence.verdicts import (
    CODES,
    backtest_verdict,
    band_metrics,
    band_verdict,
    leakage_verdict,
    price_verdict,
    signal_verdict,
)

HELD = {"sharpe": 0.5}


def backtest(sharpe=1.0, trades=3, **figures):
    own = {"sharpe": sharpe, "trades": trades, "open_trades": 0, **figures}
    return {"strategy": own, "buy_and_hold": HELD}


@pytest.mark.parametrize(
    ("stats", "code"),
    [
        (backtest(trades=0), "never_traded"),
        (backtest(sharpe=None), "incomparable"),
        (backtest(sharpe=0.504), "same"),
        (backtest(sharpe=0.2), "lower"),
        (backtest(), "unknown"),
        (backtest(excess_sharpe_p_value=0.05, deflated_sharpe=0.99), "chance"),
        (backtest(excess_sharpe_p_value=0.01, deflated_sharpe=0.94), "trials"),
        (backtest(excess_sharpe_p_value=0.01, deflated_sharpe=0.95), "higher"),
        (backtest(excess_sharpe_p_value=0.01, deflated_sharpe=0.95, deflated_sharpe_all=None), "higher"),
        (backtest(excess_sharpe_p_value=0.01, deflated_sharpe=0.99, deflated_sharpe_all=0.94), "trials"),
    ],
)
def test_a_backtest_is_good_only_if_nothing_else_explains_its_gain(stats, code):
    verdict = backtest_verdict(stats)

    assert (verdict.code, verdict.good) == (code, code == "higher")


@pytest.mark.parametrize(
    ("coverage", "code"),
    [(None, "unscored"), (0.86, "too_narrow"), (0.87, "kept"), (0.93, "kept"), (0.94, "too_wide")],
)
def test_a_band_is_judged_by_its_coverage(coverage, code):
    verdict = band_verdict({"coverage": coverage})

    assert (verdict.code, verdict.good) == (code, code == "kept")


def test_bands_of_the_scale_are_judged_by_their_record_at_the_nearest_horizon():
    record = {"horizons": {"1": {"band": {"coverage": 0.8}}, "20": {"band": {"coverage": 0.9}}, "30": {}}}

    assert band_metrics({"horizon": 16}, record) | {"by_horizon": None} == {
        "horizon": 20,
        "coverage": 0.9,
        "by_horizon": None,
    }
    assert band_verdict(band_metrics({"horizon": 5}, {})).code == "unscored"


@pytest.mark.parametrize("judge", [price_verdict, signal_verdict])
def test_a_model_is_good_if_it_beats_the_naive_forecast(judge):
    assert [(judge({"beats_naive": better}).code, judge({"beats_naive": better}).good) for better in (True, False)] == [
        ("better", True),
        ("no_better", False),
    ]


def test_features_without_a_certificate_are_not_good():
    assert [leakage_verdict(one).code for one in ({}, {"passed": True}, {"passed": False})] == list(CODES["leakage"])
    assert [leakage_verdict(one).good for one in ({}, {"passed": True}, {"passed": False})] == [False, True, False]
