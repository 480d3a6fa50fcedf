"""The two parts of the price model, linear and network, and the shrinkage of each."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.pipelines.edge_table import edge_table
from zenith_core.evaluation.metrics import price_metrics
from zenith_core.evaluation.walk_forward import WalkForward
from zenith_core.forecasting.ridge import LinearForecast, fit_linear
from zenith_core.forecasting.shrinkage import STRICT_T_STATISTIC, shrinkage
from zenith_pipelines.models import lstm_walk_forward as price_study
from zenith_pipelines.models import prepare_backend
from zenith_pipelines.models.lstm import LSTMConfig, LSTMTrainer
from zenith_pipelines.models.lstm_onnx import PriceModel, price_model_onnx
from zenith_pipelines.models.lstm_walk_forward import study_prices
from zenith_pipelines.models.onnx_artifact import onnx_run

pytestmark = pytest.mark.slow  # Keras compiles

COLUMNS = ("a", "b", "c")
CONFIG = LSTMConfig(window=10, units=4, dense=4, horizons=3, epochs=1, batch=4)
SPLIT = WalkForward(folds=2, test_share=0.4, validation=48, gap=3, min_train=40)
SESSIONS = 600


def feature_table(edge, seed=0):
    return edge_table(SESSIONS, COLUMNS, edge, seed)


def factors(study):
    """Return each part's factors by horizon, for each fold and the final model."""
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


def test_the_linear_part_finds_a_linear_edge_that_the_network_alone_misses(study, table, monkeypatch):
    monkeypatch.setattr(price_study, "fit_linear", lambda values, targets: fit_linear(values, targets).shrunk(0.0))
    network_only = study_prices(table, COLUMNS, CONFIG, SPLIT)

    both, network = (price_metrics(s.forecasts, table["close"])["by_horizon"]["1"] for s in (study, network_only))
    assert both["beats_naive"]
    assert both["skill"] > 0.1  # an oracle has 0.25; the ridge halves the slope, which leaves three quarters of it
    assert network["skill"] < 0.05
    assert [each["linear"] for each in factors(network_only)] == [[0, 0, 0]] * 3


def test_factors_lie_between_0_and_1_and_follow_the_edge(study):
    noise = study_prices(feature_table(edge=0.0, seed=3), COLUMNS, CONFIG, SPLIT)

    every = np.array([list(each.values()) for each in factors(study) + factors(noise)])
    assert every.shape == (6, 2, 3)  # folds of both, parts, horizons
    assert ((every >= 0) & (every <= 1)).all()
    assert np.min([each["linear"] for each in factors(study)]) > 0.8
    assert np.max([each["linear"] for each in factors(noise)]) < 0.5


def test_forecasts_with_zero_factors_are_the_last_close():
    noise = study_prices(feature_table(edge=0.0, seed=3), COLUMNS, CONFIG, SPLIT)

    all_zero = [not np.any(list(each.values())) for each in factors(noise)[:2]]
    half = len(noise.forecasts) // 2
    blocks = noise.forecasts.iloc[:half], noise.forecasts.iloc[half:]
    assert any(all_zero)
    assert [bool((block["forecast"] == block["close"]).all()) for block in blocks] == all_zero


def test_the_network_gets_no_credit_for_an_edge_of_the_linear_part(study, table, monkeypatch):
    """A network that knows the same edge, and exaggerates it, is shrunk more beside the linear part."""

    def predict_edge(trainer, model, values, ends):
        return 2.0 * values[ends, :1] / np.sqrt([1, 2, 3])

    monkeypatch.setattr(LSTMTrainer, "predict", predict_edge)
    monkeypatch.setattr(price_study, "check_parity", lambda *_: None)
    both = study_prices(table, COLUMNS, CONFIG, SPLIT)
    monkeypatch.setattr(price_study, "fit_linear", lambda values, targets: fit_linear(values, targets).shrunk(0.0))
    network_only = study_prices(table, COLUMNS, CONFIG, SPLIT)

    assert [each["linear"] for each in factors(both)] == [each["linear"] for each in factors(study)]
    for beside_linear, alone in zip(factors(both), factors(network_only), strict=True):
        assert np.min(beside_linear["network"]) > 0.1
        assert np.less(beside_linear["network"], 0.9 * np.array(alone["network"])).all()


def test_the_rows_that_chose_its_epoch_do_not_judge_the_network(table, monkeypatch):
    """A network that knows these rows by heart, and the gap behind them, has no record before its first test.

    One row of them among those that judge would make its slope certain.
    """
    fit, fits = LSTMTrainer.fit, []

    def remember(trainer, values, targets, train, validation, on_epoch):
        fits.append((train, validation, targets))
        return fit(trainer, values, targets, train, validation, on_epoch)

    def recite(trainer, model, values, ends):
        _, rows, targets = fits[0]
        return np.where((ends <= rows[-1] + SPLIT.gap)[:, np.newaxis], np.nan_to_num(targets[ends]), 0.0)

    monkeypatch.setattr(LSTMTrainer, "fit", remember)
    monkeypatch.setattr(LSTMTrainer, "predict", recite)
    monkeypatch.setattr(price_study, "check_parity", lambda *_: None)

    every = factors(study_prices(table, COLUMNS, CONFIG, SPLIT))

    assert [each["network"] for each in every] == [[0, 0, 0]] * 3
    train, first_validation, _ = fits[0]
    assert first_validation[0] == train[-1] + SPLIT.gap + 1
    assert len(first_validation) == (SPLIT.validation - SPLIT.gap) // 2
    assert [len(validation) for _, validation, _ in fits[1:]] == [SPLIT.validation] * 2  # earlier tests judge


def test_the_network_needs_stricter_evidence_than_the_linear_part(table, monkeypatch):
    """It is the second part that is tried, on the remainder of the first."""
    limits = []

    def record(forecasts, outcomes, *min_t):
        limits.append(min_t)
        return shrinkage(forecasts, outcomes, *min_t)

    monkeypatch.setattr(price_study, "shrinkage", record)
    study_prices(table, COLUMNS, CONFIG, SPLIT)

    assert limits == [(), (STRICT_T_STATISTIC,)] * 3


def test_drift_is_not_learned_as_skill():
    """Prices rise by 0.3 of their volatility each session, and nothing else predicts them."""
    table = feature_table(edge=0.0, seed=3)
    table["close"] *= np.exp(0.3 * 0.02 * np.arange(SESSIONS))

    study = study_prices(table, COLUMNS, CONFIG.model_copy(update={"epochs": 6, "learning_rate": 1e-2}), SPLIT)

    log_returns = np.log(study.forecasts["forecast"] / study.forecasts["close"]) / (0.02 * study.forecasts["horizon"])
    assert abs(log_returns.mean()) < 0.03


def test_later_sessions_change_no_earlier_factor_and_no_earlier_forecast(study, table):
    now = pd.Timestamp(study.facts["folds"][1]["test"][0])
    later, other = table.index > now, feature_table(edge=0.9, seed=9)
    other_future = table.copy()
    other_future.loc[later] = other.loc[later]

    later_study = study_prices(other_future, COLUMNS, CONFIG, SPLIT)

    assert factors(later_study)[:2] == factors(study)[:2]
    assert factors(later_study)[2] != factors(study)[2]
    before = study.forecasts["origin"] <= now
    assert not np.allclose(study.forecasts.loc[before, "forecast"], study.forecasts.loc[before, "close"])
    columns = ["forecast", "lower", "q50", "upper"]
    pd.testing.assert_frame_equal(later_study.forecasts.loc[before, columns], study.forecasts.loc[before, columns])


def test_the_factors_use_the_closes_known_when_the_test_begins(study, table):
    """The close at which the second test begins affects its factors; the next close does not."""
    first_of_second = table.index.get_loc(pd.Timestamp(study.facts["folds"][1]["test"][0]))
    at_start, next_session = table.copy(), table.copy()
    at_start.iloc[first_of_second, at_start.columns.get_loc("close")] *= 1.2  # known at the close of that session
    next_session.iloc[first_of_second + 1, next_session.columns.get_loc("close")] *= 1.2

    with_start, with_next = (
        factors(study_prices(prices, COLUMNS, CONFIG, SPLIT)) for prices in (at_start, next_session)
    )

    assert with_next[:2] == factors(study)[:2]
    assert with_start[0] == factors(study)[0]
    assert with_start[1] != factors(study)[1]


def test_the_export_forecasts_the_sum_of_both_parts(table, monkeypatch):
    calls = []

    def export(model, band, columns):
        calls.append((model, band))
        return price_model_onnx(model, band, columns)

    monkeypatch.setattr(price_study, "price_model_onnx", export)
    study = study_prices(table, COLUMNS, CONFIG.model_copy(update={"epochs": 3, "learning_rate": 1e-2}), SPLIT)
    ((model, band),) = calls
    # A network shrunk to nothing would hide an error of the sum.
    whole = PriceModel(model.linear, replace(model.network, weights=enlarge(model.network.weights)))
    nothing = LinearForecast(model.linear.mean, np.zeros_like(model.linear.weights))

    assert min(factors(study)[-1]["linear"]) > 0
    both, network = (scores(price_model_onnx(m, band, COLUMNS), table) for m in (whole, replace(whole, linear=nothing)))
    linear = model.linear.predict(table[list(COLUMNS)].to_numpy()[-1:])[0]
    assert np.abs(linear).min() > 1e-3
    assert np.abs(network).min() > 1e-3
    np.testing.assert_allclose(both, network + linear, atol=1e-4)
    np.testing.assert_allclose(scores(study.onnx, table), scores(price_model_onnx(model, band, COLUMNS), table))


def enlarge(weights):
    """Return the network's weights with a large last bias."""
    return (*weights[:-1], np.array([0.3, -0.2, 0.1], np.float32))


def scores(onnx, table):
    """Return the newest forecast (horizons,), in units of volatility."""
    close = table["close"].iloc[-1]
    newest = {
        "window": table[list(COLUMNS)].to_numpy(np.float32)[np.newaxis, -CONFIG.window :],
        "close": np.array([close], np.float32),
        "volatility": np.array([0.02], np.float32),
    }
    (price,) = onnx_run(onnx)(["price"], newest)
    return np.log(price[0] / close) / (0.02 * np.sqrt([1, 2, 3]))
