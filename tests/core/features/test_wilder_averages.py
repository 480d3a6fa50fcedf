"""The vectorized ATR, ADX and CCI equal the loops of `ta`."""

import warnings

import numpy as np
import pandas as pd
import pytest

from tests.core.markets import random_prices
from zenith_core.features.indicators import average_directional_index, average_true_range, indicators, wilder_average
from zenith_pipelines.ingestion.sources.sample import SampleSource


def random_walk(sessions=900, seed=11):
    return random_prices(sessions, seed)


def halted():
    """Motionless from the first row, and twice later, with a crash between."""
    prices = random_walk()
    for start, stop in ((0, 40), (300, 420), (600, 605)):
        prices.iloc[start:stop, :4] = prices["close"].iloc[start]
    prices.iloc[500:, :4] *= 0.3
    return prices


def real():
    return SampleSource().fetch("AAPL").prices  # splits unadjusted: a jump of two to one


def ta_adx(prices):
    from ta.trend import ADXIndicator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ADXIndicator(prices.high, prices.low, prices.close).adx().where(np.arange(len(prices)) >= 27)


def ta_atr(prices):
    from ta.volatility import AverageTrueRange

    atr = AverageTrueRange(prices.high, prices.low, prices.close).average_true_range()
    return atr.where(np.arange(len(prices)) >= 13)


def ta_cci(prices):
    """Where nothing moves for 20 sessions `ta` returns rounding noise, and we return NaN."""
    from ta.trend import CCIIndicator

    motionless = prices.high.rolling(20).max() == prices.low.rolling(20).min()
    return CCIIndicator(prices.high, prices.low, prices.close).cci().where(~motionless)


@pytest.mark.parametrize("market", [random_walk, halted, real])
@pytest.mark.parametrize(("name", "reference"), [("atr_14", ta_atr), ("adx_14", ta_adx), ("cci_20", ta_cci)])
def test_vectorized_averages_equal_those_of_ta(name, reference, market):
    prices = market()
    np.testing.assert_allclose(indicators(prices)[name], reference(prices), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("sessions", [14, 15, 27, 28, 29, 40])
def test_short_histories_too(sessions):
    prices = random_walk().iloc[:sessions]
    result = indicators(prices)
    np.testing.assert_allclose(result["atr_14"], ta_atr(prices), rtol=1e-9)
    if sessions >= 28:  # ta's own loops fail below
        np.testing.assert_allclose(result["adx_14"], ta_adx(prices), rtol=1e-9)


@pytest.mark.parametrize("length", [13, 14, 20, 21, 28, 29, 500, 899])
def test_a_shorter_history_gives_the_same_values_to_the_last_bit(length):
    prices = random_walk()
    columns = ["atr_14", "adx_14", "cci_20"]
    whole = indicators(prices)[columns].iloc[:length]
    pd.testing.assert_frame_equal(indicators(prices.iloc[:length])[columns], whole, check_exact=True)


def test_wilders_average_starts_with_a_mean_and_moves_by_one_part_in_the_window():
    assert wilder_average(np.array([1.0, 2.0, 6.0, 7.0]), 3).tolist() == pytest.approx(
        [np.nan, np.nan, 3, 13 / 3], nan_ok=True
    )
    assert np.isnan(wilder_average(np.ones(2), 3)).all()


def test_a_steady_rise_is_all_direction_and_no_movement_is_none():
    rising = np.arange(1.0, 61.0)
    assert average_directional_index(rising, rising - 0.5, rising - 0.2, 14)[27:].tolist() == pytest.approx([100] * 33)
    still = np.full(60, 5.0)
    assert average_directional_index(still, still, still, 14)[27:].tolist() == [0] * 33
    assert average_true_range(still + 1, still, still, 14)[13:].tolist() == [1] * 47
