"""The two parts of the price model, linear and network, and how far each is believed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.pipelines.edge_table import edge_table
from zenith_core.evaluation.metrics import price_metrics
from zenith_core.evaluation.walk_forward import WalkForward
from zenith_core.forecasting.ridge import LinearForecast, fit_linear
from zenith_pipelines.models import lstm_walk_forward as price_study
from zenith_pipelines.models import prepare_backend
from zenith_pipelines.models.lstm import LSTMConfig, LSTMTrainer
from zenith_pipelines.models.lstm_onnx import PriceModel, price_model_onnx
from zenith_pipelines.models.lstm_walk_forward import study_prices
from zenith_pipelines.models.onnx_artifact import onnx_run

pytestmark = pytest.mark.slow  # Keras compiles

COLUMNS = ("a", "b", "c")
CONFIG = LSTMConfig(window=5, units=4, dense=4, horizons=3, epochs=1, batch=16)
SPLIT = WalkForward(folds=2, test_share=0.4, validation=48, gap=3, min_train=40)
SESSIONS = 600


def feature_table(edge, seed=0):
    return edge_table(SESSIONS, COLUMNS, edge, seed)


def factors(study):
    """Of each fold and of the final model: each part's factors by horizon."""
    return [fold["shrinkage"] for fold in [*study.facts["folds"], study.facts["final"]]]


@pytest.fixture(scope="module", autouse=True)
def backend(tmp_path_factory):
    prepare_backend("jax", tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def table():
    return feature_table(edge=0.5)


@pytest.fixture(scope="module")
def study(table):
    return study_prices(table, COLUMNS, CONFIG, SPLIT)


def test_a_linear_edge_is_found_by_the_linear_part_that_the_network_alone_does_not_find(study, table, monkeypatch):
    monkeypatch.setattr(price_study, "fit_linear", lambda values, targets: fit_linear(values, targets).shrunk(0.0))
    alone = study_prices(table, COLUMNS, CONFIG, SPLIT)

    both, network = (price_metrics(s.forecasts, table["close"])["by_horizon"]["1"] for s in (study, alone))
    assert both["beats_naive"]
    assert both["skill"] > 0.1  # an oracle has 0.25; the ridge halves the slope, which leaves three quarters of it
    assert network["skill"] < 0.05
    assert [each["linear"] for each in factors(alone)] == [[0, 0, 0]] * 3


def test_both_parts_are_believed_between_not_at_all_and_wholly(study):
    noise = study_prices(feature_table(edge=0.0, seed=3), COLUMNS, CONFIG, SPLIT)

    every = np.array([list(each.values()) for each in factors(study) + factors(noise)])
    assert every.shape == (6, 2, 3)  # folds of both, parts, horizons
    assert ((every >= 0) & (every <= 1)).all()
    assert np.min([each["linear"] for each in factors(study)]) > 0.8
    assert np.max([each["linear"] for each in factors(noise)]) < 0.5


def test_a_study_that_believes_neither_part_forecasts_no_change():
    noise = study_prices(feature_table(edge=0.0, seed=3), COLUMNS, CONFIG, SPLIT)

    silent = [not np.any(list(each.values())) for each in factors(noise)[:2]]
    half = len(noise.forecasts) // 2
    blocks = noise.forecasts.iloc[:half], noise.forecasts.iloc[half:]
    assert any(silent)
    assert [bool((block["forecast"] == block["close"]).all()) for block in blocks] == silent


def test_what_the_linear_part_explains_is_not_to_the_networks_credit(study, table, monkeypatch):
    """A network that knows of the edge too, and exaggerates: what is left for it is less where the other part spoke."""

    def knowing(trainer, model, values, ends):
        return 2.0 * values[ends, :1] / np.sqrt([1, 2, 3])

    monkeypatch.setattr(LSTMTrainer, "predict", knowing)
    monkeypatch.setattr(price_study, "check_parity", lambda *exported: None)
    both = study_prices(table, COLUMNS, CONFIG, SPLIT)
    monkeypatch.setattr(price_study, "fit_linear", lambda values, targets: fit_linear(values, targets).shrunk(0.0))
    alone = study_prices(table, COLUMNS, CONFIG, SPLIT)

    assert [each["linear"] for each in factors(both)] == [each["linear"] for each in factors(study)]
    for beside, by_itself in zip(factors(both), factors(alone), strict=True):
        assert np.min(beside["network"]) > 0.1
        assert np.less(beside["network"], 0.9 * np.array(by_itself["network"])).all()


def test_a_drift_is_not_taken_for_skill():
    """Prices that rise by 0.3 of their volatility each session, and nothing else to see."""
    table = feature_table(edge=0.0, seed=3)
    table["close"] *= np.exp(0.3 * 0.02 * np.arange(SESSIONS))

    study = study_prices(table, COLUMNS, replace(CONFIG, epochs=6, learning_rate=1e-2), SPLIT)

    said = np.log(study.forecasts["forecast"] / study.forecasts["close"]) / (0.02 * study.forecasts["horizon"])
    assert abs(said.mean()) < 0.03


def test_what_comes_later_changes_no_earlier_factor_and_no_earlier_forecast(study, table):
    now = pd.Timestamp(study.facts["folds"][1]["test"][0])
    later, other = table.index > now, feature_table(edge=0.9, seed=9)
    scrambled = table.copy()
    scrambled.loc[later] = other.loc[later]

    changed = study_prices(scrambled, COLUMNS, CONFIG, SPLIT)

    assert factors(changed)[:2] == factors(study)[:2]
    assert factors(changed)[2] != factors(study)[2]
    before = study.forecasts["origin"] <= now
    assert not np.allclose(study.forecasts.loc[before, "forecast"], study.forecasts.loc[before, "close"])
    columns = ["forecast", "lower", "q50", "upper"]
    pd.testing.assert_frame_equal(changed.forecasts.loc[before, columns], study.forecasts.loc[before, columns])


def test_the_factors_rest_on_what_was_known_when_the_test_began(study, table):
    """The close at which the second test begins counts for its factors, the one after it does not."""
    first_of_second = table.index.get_loc(pd.Timestamp(study.facts["folds"][1]["test"][0]))
    seen, later = table.copy(), table.copy()
    seen.iloc[first_of_second, seen.columns.get_loc("close")] *= 1.2  # known at the close of that session
    later.iloc[first_of_second + 1, later.columns.get_loc("close")] *= 1.2

    of_seen, of_later = (factors(study_prices(changed, COLUMNS, CONFIG, SPLIT)) for changed in (seen, later))

    assert of_later[:2] == factors(study)[:2]
    assert of_seen[0] == factors(study)[0]
    assert of_seen[1] != factors(study)[1]


def test_the_export_answers_as_the_sum_of_both_parts(table, monkeypatch):
    exported = []

    def export(model, band, columns):
        exported.append((model, band))
        return price_model_onnx(model, band, columns)

    monkeypatch.setattr(price_study, "price_model_onnx", export)
    study = study_prices(table, COLUMNS, replace(CONFIG, epochs=3, learning_rate=1e-2), SPLIT)
    ((model, band),) = exported
    # What was not believed would hide an error of the sum.
    whole = PriceModel(model.linear, replace(model.network, weights=loud(model.network.weights)))
    nothing = LinearForecast(model.linear.mean, np.zeros_like(model.linear.weights))

    assert min(factors(study)[-1]["linear"]) > 0
    both, network = (scores(price_model_onnx(m, band, COLUMNS), table) for m in (whole, replace(whole, linear=nothing)))
    linear = model.linear.predict(table[list(COLUMNS)].to_numpy()[-1:])[0]
    assert np.abs(linear).min() > 1e-3
    assert np.abs(network).min() > 1e-3
    np.testing.assert_allclose(both, network + linear, atol=1e-4)
    np.testing.assert_allclose(scores(study.onnx, table), scores(price_model_onnx(model, band, COLUMNS), table))


def loud(weights):
    """The network's weights with a last bias that is not small."""
    return (*weights[:-1], np.array([0.3, -0.2, 0.1], np.float32))


def scores(onnx, table):
    """The newest forecast (horizons,), in units of volatility."""
    close = table["close"].iloc[-1]
    newest = {
        "window": table[list(COLUMNS)].to_numpy(np.float32)[np.newaxis, -CONFIG.window :],
        "close": np.array([close], np.float32),
        "volatility": np.array([0.02], np.float32),
    }
    (price,) = onnx_run(onnx)(["price"], newest)
    return np.log(price[0] / close) / (0.02 * np.sqrt([1, 2, 3]))
