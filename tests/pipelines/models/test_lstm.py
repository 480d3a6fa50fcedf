import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from zenith_core.errors import ParityError, TooShortHistory, TrainingError
from zenith_core.features.targets import input_windows
from zenith_core.forecasting.prediction_intervals import Band
from zenith_core.forecasting.residual_quantiles import price_forecasts
from zenith_core.forecasting.ridge import LinearForecast
from zenith_core.forecasting.volatility_term_structure import scale_inputs, stretch
from zenith_pipelines.models import TRAINING_THREADS, prepare_backend
from zenith_pipelines.models.lstm import LSTMConfig, LSTMTrainer, _build_network, scaler
from zenith_pipelines.models.lstm_jax_epoch import _SEED_SHIFT, _HalvedBatches, epoch_trainer
from zenith_pipelines.models.lstm_onnx import PriceModel, price_model_onnx
from zenith_pipelines.models.onnx_artifact import check_parity

CONFIG = LSTMConfig(window=10, units=8, dense=6, horizons=4, epochs=3, batch=16, patience=1)
TRAIN, VALIDATION = np.arange(9, 140), np.arange(150, 190)

pytestmark = pytest.mark.slow  # Keras compiles


def ignore(epoch):
    pass


@pytest.fixture(scope="module", autouse=True)
def jax_backend(tmp_path_factory):
    prepare_backend("jax", tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def trainer(jax_backend):
    return LSTMTrainer(CONFIG, features=3)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(200, 3)).astype(np.float32)
    targets = values[:, :1] * [0.5, 0.4, 0.3, 0.2] + rng.normal(scale=0.1, size=(200, 4))
    return values, targets


@pytest.fixture(scope="module")
def network(trainer, data):
    return trainer.fit(*data, TRAIN, VALIDATION, ignore)


def test_training_depends_on_its_fold_only_and_not_on_earlier_folds(trainer, data, network):
    trainer.fit(*data, TRAIN[20:], VALIDATION, ignore)

    again = trainer.fit(*data, TRAIN, VALIDATION, ignore)

    assert again.losses == network.losses
    for before, after in zip(network.weights, again.weights, strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_number_of_threads_does_not_change_the_result(trainer, data, network, monkeypatch):
    monkeypatch.setenv(TRAINING_THREADS, "2")

    second = trainer.fit(*data, TRAIN, VALIDATION, ignore)

    assert second.losses == network.losses
    for one, two in zip(network.weights, second.weights, strict=True):
        np.testing.assert_array_equal(one, two)


def test_without_dropout_an_epoch_equals_one_of_keras_fit(data):
    values, targets = data
    rows = TRAIN[:96]
    x, y = input_windows(values, rows, CONFIG.window), targets[rows].astype(np.float32)
    ours, reference = (_build_network(replace(CONFIG, dropout=0.0, learning_rate=0.01), 3) for _ in range(2))
    epoch, losses = epoch_trainer(ours, CONFIG.batch), []

    for _ in range(3):
        epoch(x, y)
        reference.fit(x, y, batch_size=CONFIG.batch, shuffle=False, verbose=0)
        losses.append([network.evaluate(x, y, verbose=0) for network in (ours, reference)])

    mine, theirs = np.transpose(losses)
    np.testing.assert_allclose(mine, theirs, rtol=1e-4)
    assert mine[2] < mine[1] < mine[0]


def test_the_halves_of_a_batch_draw_different_dropout_masks(data):
    values, targets = data
    network = _build_network(replace(CONFIG, dropout=0.5), 3)
    network.layers[-1].kernel.assign(np.ones((CONFIG.dense, 4)))  # else the layers below have no gradient yet
    x, y = input_windows(values, TRAIN[:8], CONFIG.window), targets[TRAIN[:8]].astype(np.float32)
    halves = _HalvedBatches(network, 16)
    weights, random, _ = ([variable.value for variable in group] for group in halves._variables())

    first, after = halves._compute(weights, random, x, y, 0)
    second, after_too = halves._compute(weights, random, x, y, _SEED_SHIFT)

    assert not np.allclose(first[0], second[0])
    np.testing.assert_array_equal(after, after_too)
    assert not np.array_equal(after, random)


def test_rows_after_validation_do_not_matter(trainer, data, network):
    values, targets = (array.copy() for array in data)
    values[190:], targets[190:] = 1e6, np.nan

    again = trainer.fit(values, targets, TRAIN, VALIDATION, ignore)

    np.testing.assert_array_equal(again.mean, network.mean)
    np.testing.assert_array_equal(again.weights[-2], network.weights[-2])


def test_the_weights_are_those_of_the_best_epoch(trainer, data, network):
    values, targets = data
    rows = VALIDATION[len(VALIDATION) % CONFIG.batch :]

    error = np.abs(trainer.predict(network, values, rows) - targets[rows])

    huber = np.where(error <= 1, error**2 / 2, error - 0.5)
    assert huber.mean() == pytest.approx(min(network.losses), rel=1e-4)


def test_it_learns_a_planted_relation(data):
    values, targets = data
    fast_trainer = LSTMTrainer(replace(CONFIG, epochs=30, learning_rate=0.02, patience=30), features=3)

    model = fast_trainer.fit(values, targets, TRAIN, VALIDATION, ignore)

    scores = fast_trainer.predict(model, values, VALIDATION)
    assert np.mean((scores - targets[VALIDATION]) ** 2) < 0.5 * np.mean(targets[VALIDATION] ** 2)


def test_every_epoch_is_reported_and_training_stops_after_the_patience(trainer, data):
    values, targets = data
    unlearnable = np.where(np.arange(200)[:, np.newaxis] < 145, targets, -5 * targets)
    epochs = []

    model = trainer.fit(values, unlearnable, TRAIN, VALIDATION, epochs.append)

    assert epochs == list(range(1, len(model.losses) + 1))
    assert len(model.losses) == int(np.argmin(model.losses)) + 1 + CONFIG.patience


def test_a_forecast_does_not_depend_on_the_other_rows_of_its_call(trainer, data, network):
    values, _ = data
    rows = np.arange(9, 60)

    together = trainer.predict(network, values, rows)

    np.testing.assert_allclose(trainer.predict(network, values, rows[:3]), together[:3], rtol=1e-5, atol=1e-7)
    assert together.shape == (51, 4)


def test_each_horizon_of_a_shrunk_network_is_scaled_by_its_own_factor(trainer, data, network):
    rows = np.arange(100, 120)
    factors = np.linspace(1.0, 0.0, CONFIG.horizons)

    shrunk = trainer.predict(network.shrunk(factors), data[0], rows)

    plain = trainer.predict(network, data[0], rows)
    assert np.abs(plain).min() > 0
    np.testing.assert_allclose(shrunk, factors * plain, rtol=1e-5, atol=1e-8)


def test_less_than_a_batch_is_too_short(trainer, data):
    with pytest.raises(TooShortHistory, match="^15 rows to train or validate on: at least 16 are needed$"):
        trainer.fit(*data, TRAIN, VALIDATION[:15], ignore)


def test_a_loss_that_is_not_finite_is_an_error(trainer, data):
    values, targets = data

    with pytest.raises(TrainingError, match="validation loss is"):
        trainer.fit(values, targets * np.inf, TRAIN, VALIDATION, ignore)


def test_an_input_that_is_not_a_number_is_an_error(trainer, data):
    values, targets = (array.copy() for array in data)
    values[50] = np.nan

    with pytest.raises(TrainingError, match="validation loss is nan"):
        trainer.fit(values, targets, TRAIN, VALIDATION, ignore)


def test_the_scaler_does_not_scale_a_constant_column():
    mean, scale = scaler(np.array([[1.0, 0.1], [3.0, 0.1]], dtype=np.float32))

    np.testing.assert_allclose(mean, [2.0, 0.1])
    np.testing.assert_allclose(scale, [1.0, 1.0])


COLUMNS = ("range_ratio", "other", "return_5")


def make_band(horizons=4, seed=2):
    random = np.random.default_rng(seed)
    coefficients = 0.3 * random.normal(size=(4, horizons))  # constant, log volatility, range_ratio, return_5
    return Band(coefficients, np.sort(random.normal(size=(horizons, 7))))


def make_linear(horizons=4):
    random = np.random.default_rng(4)
    return LinearForecast(random.normal(size=3), random.normal(size=(3, horizons)))


def onnx_inputs_and_outputs(trainer, model, values, band):
    rows = np.arange(100, 180)
    close, volatility = np.linspace(10, 500, 80), np.linspace(0.005, 0.06, 80)
    scores = trainer.predict(model.network, values, rows) + model.linear.predict(values[rows])
    inputs = {
        "window": input_windows(values, rows, CONFIG.window),
        "close": close.astype(np.float32),
        "volatility": volatility.astype(np.float32),
    }
    stretches = stretch(scale_inputs(values[rows], COLUMNS, volatility), band.coefficients)
    quantiles = [price_forecasts(scores + stretches * level, close, volatility) for level in band.quantiles.T]
    return inputs, {"price": price_forecasts(scores, close, volatility), "quantiles": np.stack(quantiles, axis=-1)}


@pytest.fixture(scope="module")
def model(network):
    return PriceModel(make_linear(), network)


def test_the_onnx_model_agrees_with_the_trained_one(trainer, data, network, model):
    band = make_band()
    inputs, expected = onnx_inputs_and_outputs(trainer, model, data[0], band)

    assert check_parity(price_model_onnx(model, band, COLUMNS), inputs, expected) < 1e-5
    plain = Band(np.zeros_like(band.coefficients), band.quantiles)
    for wrong_model, wrong_band in ((model, plain), (replace(model, linear=model.linear.shrunk(0.5)), band)):
        with pytest.raises(ParityError):
            check_parity(price_model_onnx(wrong_model, wrong_band, COLUMNS), inputs, expected)


def test_the_exported_scale_has_the_limits_of_the_calibrator(trainer, data, model):
    band = make_band()
    extreme = Band(band.coefficients + np.array([[3.0], [0.0], [2.0], [0.0]]), band.quantiles)
    inputs, expected = onnx_inputs_and_outputs(trainer, model, data[0], extreme)

    assert (
        stretch(scale_inputs(data[0][100:180], COLUMNS, inputs["volatility"]), extreme.coefficients) == np.exp(2)
    ).any()
    assert check_parity(price_model_onnx(model, extreme, COLUMNS), inputs, expected) < 1e-5


def test_an_export_with_other_outputs_is_refused(trainer, data, network, model):
    band = make_band()
    inputs, expected = onnx_inputs_and_outputs(trainer, model, data[0], band)
    kernel, *others = network.weights
    gates_in_wrong_order = replace(model, network=replace(network, weights=(kernel[:, ::-1], *others)))

    with pytest.raises(ParityError, match=r"differs from the trained model by .* at most 1e-04"):
        check_parity(price_model_onnx(gates_in_wrong_order, band, COLUMNS), inputs, expected)


@pytest.mark.slow
def test_the_tensorflow_backend_trains_and_exports_the_same_way(tmp_path):
    script = """
import numpy as np
from tests_of_lstm import COLUMNS, CONFIG, TRAIN, VALIDATION, onnx_inputs_and_outputs, make_band, make_linear
from zenith_pipelines.models.onnx_artifact import check_parity
from zenith_pipelines.models.lstm import LSTMTrainer
from zenith_pipelines.models.lstm_onnx import PriceModel, price_model_onnx

rng = np.random.default_rng(1)
values, targets = rng.normal(size=(200, 3)).astype(np.float32), rng.normal(size=(200, 4))
trainer = LSTMTrainer(CONFIG, features=3)
model = PriceModel(make_linear(), trainer.fit(values, targets, TRAIN, VALIDATION, print))
band = make_band()
inputs, expected = onnx_inputs_and_outputs(trainer, model, values, band)
assert check_parity(price_model_onnx(model, band, COLUMNS), inputs, expected) < 1e-5
import keras
print("backend", keras.config.backend())
"""
    (tmp_path / "tests_of_lstm.py").symlink_to(__file__)
    path = os.pathsep.join([str(tmp_path), *sys.path])
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}

    command = [sys.executable, "-c", script]
    run = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=180)

    assert run.stdout.splitlines()[-1] == "backend tensorflow"
