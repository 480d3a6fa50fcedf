"""The model inputs: causal, independent of where history starts, finite and bounded for all prices."""

import numpy as np
import pandas as pd
import pytest

from tests.core.markets import random_prices
from zenith_core.errors import NonFiniteInput
from zenith_core.features.model_features import (
    FEATURES,
    INPUTS,
    VOLATILITY_FLOOR,
    WARM_UP,
    ewma_volatility,
    feature_spec,
    feature_spec_hash,
    features,
    inputs_of,
)


def make_prices(sessions=700, seed=3):
    return random_prices(sessions, seed)


def inputs(prices):
    return features(prices)[list(FEATURES)]


@pytest.mark.parametrize("length", [30, WARM_UP, WARM_UP + 1, 400, 699])
def test_a_truncated_history_gives_exactly_the_same_past(length):
    prices = make_prices()
    whole = features(prices).iloc[:length]
    pd.testing.assert_frame_equal(features(prices.iloc[:length]), whole, check_exact=True)


@pytest.mark.slow
def test_a_value_that_looked_ahead_would_be_seen():
    prices = make_prices(400)
    other_prices = prices.copy()
    other_prices.iloc[350:, :4] *= 3
    pd.testing.assert_frame_equal(features(other_prices).iloc[:350], features(prices).iloc[:350], check_exact=True)
    assert (inputs(other_prices).iloc[350] != inputs(prices).iloc[350]).any()


@pytest.mark.parametrize("start", [1, 57, 300])
def test_a_late_start_agrees_after_the_warm_up(start):
    prices = make_prices()
    late = features(prices.iloc[start:]).iloc[WARM_UP:]
    columns = [*FEATURES, "volatility"]
    whole = features(prices).loc[late.index, columns]
    np.testing.assert_allclose(late[columns], whole, rtol=0, atol=1e-6)


def test_inputs_are_nan_in_the_warm_up_and_finite_within_their_ranges_after_it():
    result = inputs(make_prices())
    assert result.iloc[:WARM_UP].isna().all().all()
    after = result.iloc[WARM_UP:]
    for model_input in INPUTS:
        assert after[model_input.name].between(model_input.low, model_input.high).all(), model_input.name


def test_inputs_do_not_depend_on_the_level_of_prices_or_volume():
    prices = make_prices(400)
    other_units = prices * [8, 8, 8, 8, 1000]
    np.testing.assert_allclose(inputs(other_units), inputs(prices), atol=1e-9)


def test_constant_prices_without_volume_give_the_neutral_values():
    prices = make_prices(WARM_UP + 50)
    prices[["open", "high", "low", "close"]] = 10.1
    prices["volume"] = 0.0
    result = features(prices)
    neutral = {model_input.name: model_input.neutral for model_input in INPUTS}
    assert result[list(FEATURES)].iloc[-1].to_dict() == pytest.approx(neutral, abs=1e-9)
    assert result["volatility"].iloc[-1] == VOLATILITY_FLOOR


def test_a_halt_a_crash_and_missing_volume_stay_finite_and_bounded():
    prices = make_prices(WARM_UP + 200)
    prices.iloc[WARM_UP : WARM_UP + 60, :4] = prices["close"].iloc[WARM_UP]
    prices.iloc[WARM_UP : WARM_UP + 60, 4] = 0.0
    prices.iloc[WARM_UP + 60 :, :4] *= 0.05
    prices.iloc[WARM_UP + 120 :, 4] = 0.0
    after = inputs(prices).iloc[WARM_UP:]
    assert np.isfinite(after).all().all()
    assert after.abs().max().max() <= 5


def test_volume_inputs_are_their_formulas():
    prices = make_prices(WARM_UP + 10)
    last = inputs(prices).iloc[-1]
    volume, direction = prices["volume"].iloc[-20:], np.sign(prices["close"].diff()).iloc[-20:]
    assert last["volume_flow"] == pytest.approx((volume * direction).sum() / volume.sum())
    assert last["volume_ratio"] == pytest.approx(np.log(volume.iloc[-1] / volume.mean()))
    year = prices["volume"].iloc[-250:].mean()
    assert last["volume_level"] == pytest.approx(np.log(volume.iloc[-1] / year))
    assert last["volume_trend"] == pytest.approx(np.log(volume.iloc[-5:].mean() / year))


def test_the_range_ratio_is_five_sessions_of_ranges_against_the_ewma():
    prices = make_prices(WARM_UP + 10)
    newest = features(prices).iloc[-1]
    ranges = np.log(prices["high"] / prices["low"]).to_numpy()[-5:]
    parkinson = np.sqrt(np.mean(ranges**2) / (4 * np.log(2)))
    assert newest["range_ratio"] == pytest.approx(np.log(parkinson / newest["volatility"]))


def test_volatility_is_the_exponentially_weighted_root_mean_square_of_log_returns():
    close = make_prices(300)["close"]
    returns = np.diff(np.log(close))
    weights = 0.94 ** np.arange(len(returns))[::-1]
    assert ewma_volatility(close).iloc[-1] == pytest.approx(np.sqrt(weights @ returns**2 / weights.sum()))


def test_the_columns_are_indicators_inputs_volatility_and_close():
    prices = make_prices(60)
    result = features(prices)
    assert result.index.equals(prices.index)
    assert not result.columns.duplicated().any()
    assert {"rsi_14", "obv", *FEATURES, "volatility"} <= set(result.columns)
    assert result["close"].equals(prices["close"])


def test_the_hash_is_of_the_spec(monkeypatch):
    """A changed hash means that models trained before it must be trained again: change it knowingly."""
    assert feature_spec_hash() == "f8b68b1f92dacfc0"
    assert [model_input["name"] for model_input in feature_spec()["inputs"]] == list(FEATURES)
    monkeypatch.setattr("zenith_core.features.model_features.WARM_UP", WARM_UP + 1)
    assert feature_spec_hash() != "f8b68b1f92dacfc0"


@pytest.mark.slow
def test_an_earlier_spec_with_other_ranges_or_fewer_inputs_is_still_computed():
    first, second, *_ = feature_spec()["inputs"]
    earlier_inputs = inputs_of({**feature_spec(), "inputs": [second, {**first, "high": 0.5}]})

    prices = make_prices(400)
    table = features(prices, earlier_inputs)

    expected = features(prices)
    assert [one.name for one in earlier_inputs] == [second["name"], first["name"]]
    assert set(expected) - set(table) == set(FEATURES) - {first["name"], second["name"]}
    pd.testing.assert_series_equal(table[second["name"]], expected[second["name"]])
    pd.testing.assert_series_equal(table[first["name"]], expected[first["name"]].clip(upper=0.5))


@pytest.mark.parametrize("change", [{"formula": "something else"}, {"name": "never declared"}])
def test_an_earlier_spec_with_an_unknown_formula_is_not_computed(change):
    first, *others = feature_spec()["inputs"]
    assert inputs_of(feature_spec()) == INPUTS
    assert inputs_of({**feature_spec(), "inputs": [{**first, **change}, *others]}) is None
    assert inputs_of({**feature_spec(), "decay": 0.97}) is None


def test_nan_is_refused():
    prices = make_prices(300)
    prices.iloc[5, 3] = np.nan
    with pytest.raises(NonFiniteInput):
        features(prices)
