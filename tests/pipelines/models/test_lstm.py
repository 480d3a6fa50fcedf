import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tests.waiting import PATIENCE
from zenith_core.errors import ParityError, TooShortHistory, TrainingError
from zenith_core.features.targets import input_windows
from zenith_core.forecasting.prediction_intervals import Band
from zenith_core.forecasting.residual_quantiles import price_forecasts
from zenith_core.forecasting.ridge import LinearForecast
from zenith_core.forecasting.volatility_term_structure import scale_inputs, stretch
from zenith_pipelines.models import prepare_backend
from zenith_pipelines.models.lstm import LSTMConfig, LSTMTrainer, TrainedLSTM, _build_network, _copy_arrays, scaler
from zenith_pipelines.models.lstm_onnx import PriceModel, price_model_onnx
from zenith_pipelines.models.lstm_programs import _KerasPrograms, make_programs
from zenith_pipelines.models.onnx_artifact import check_parity

CONFIG = LSTMConfig(window=10, units=8, dense=6, horizons=4, epochs=3, batch=4, patience=1)
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


def test_the_jax_programs_do_the_same_as_keras_own_loops(trainer, data):
    values, targets = data
    batches = trainer._batches(values, targets, np.delete(TRAIN, 7))
    networks = [_build_network(CONFIG.model_copy(update={"dropout": 0.0, "learning_rate": 0.01}), 3) for _ in range(2)]
    ours, keras = make_programs(networks[0], CONFIG.batch, 8), _KerasPrograms(networks[1], CONFIG.batch, 8)
    losses = []

    for _ in range(3):
        for programs in (ours, keras):
            programs.train(batches)
        losses.append([programs.loss(batches) for programs in (ours, keras)])

    mine, theirs = np.transpose(losses)
    np.testing.assert_allclose(mine, theirs, rtol=1e-4)
    assert mine[2] < mine[1] < mine[0]
    windows = batches.inputs[:16]
    np.testing.assert_allclose(ours.forecast(windows), keras.forecast(windows), rtol=1e-3, atol=1e-5)


def test_each_batch_draws_other_dropout_masks(trainer, data):
    """Each batch leaves another random state to the next, and an epoch leaves its last to the next epoch."""
    batches = trainer._batches(*data, TRAIN)
    first, second = batches[: CONFIG.batch], batches[: 2 * CONFIG.batch]
    trainer._reset()
    states = [random_states(trainer)]

    for epoch in (first, first, second):
        trainer._programs.train(epoch)
        states.append(random_states(trainer))

    assert len({state.tobytes() for state in states}) == 4
    trainer._reset()
    trainer._programs.train(second)
    np.testing.assert_array_equal(random_states(trainer), states[2])


def random_states(trainer):
    return np.concatenate(_copy_arrays(trainer._network.non_trainable_variables))


def test_each_target_of_the_rows_is_learned_once_and_no_other(trainer, data):
    """The rows have holes, and the windows reach back before the first and complete a batch."""
    values, _ = data
    rows = np.delete(np.arange(20, 83), [5, 40])
    numbers = np.repeat(np.arange(200.0)[:, np.newaxis], 4, axis=1)
    blank = np.full_like(numbers, np.nan)
    blank[rows] = numbers[rows]

    batches = trainer._batches(values, blank, rows)

    assert len(batches.inputs) % CONFIG.batch == 0
    np.testing.assert_array_equal(np.sort(batches.targets[batches.weights > 0][:, 0]), rows)
    assert (batches.targets[batches.weights == 0] == 0).all()


def test_the_target_of_a_step_goes_with_the_input_of_its_own_session(trainer):
    """The inputs and the targets are numbered by row. No window has a row after the last to learn."""
    numbers = np.arange(200.0)[:, np.newaxis]

    batches = trainer._batches(numbers.astype(np.float32), np.repeat(numbers, 4, axis=1), TRAIN)

    tail = batches.inputs[:, -CONFIG.learned_steps :, 0]
    is_weighted = batches.weights > 0
    np.testing.assert_array_equal(tail[is_weighted], batches.targets[..., 0][is_weighted])
    assert batches.inputs.max() == TRAIN[-1]
    assert batches.inputs.shape[1:] == (CONFIG.window, 1)


def test_a_step_learns_from_inputs_up_to_its_own_session_only(data):
    """Later inputs of the same window do not change an output: the network is causal."""
    values, _ = data
    network = _build_network(CONFIG.model_copy(update={"layers": 2}), 3)
    network.layers[-1].kernel.assign(np.ones((CONFIG.dense, 4)))
    window = input_windows(values, np.array([50]), CONFIG.window)
    other = window.copy()
    other[:, -2:] = 9.0

    before, after = (np.asarray(network(x, training=False)) for x in (window, other))

    assert before.shape == (1, CONFIG.learned_steps, 4)
    np.testing.assert_array_equal(before[:, :-2], after[:, :-2])
    assert not np.isclose(before[:, -2:], after[:, -2:]).any()


def test_targets_outside_the_rows_do_not_matter(trainer, data, network):
    """Those of the gap before and after validation reach into rows that are scored."""
    values, targets = data
    blank = np.full_like(targets, np.nan)
    for rows in (TRAIN, VALIDATION):
        blank[rows] = targets[rows]

    again = trainer.fit(values, blank, TRAIN, VALIDATION, ignore)

    assert again.losses == network.losses
    np.testing.assert_array_equal(again.weights[-2], network.weights[-2])


def test_rows_after_validation_do_not_matter(trainer, data, network):
    values, targets = (array.copy() for array in data)
    values[190:], targets[190:] = 1e6, np.nan

    again = trainer.fit(values, targets, TRAIN, VALIDATION, ignore)

    np.testing.assert_array_equal(again.mean, network.mean)
    np.testing.assert_array_equal(again.weights[-2], network.weights[-2])


def test_the_weights_are_those_of_the_best_epoch(trainer, data, network):
    values, targets = data
    held_out = trainer._batches((values - network.mean) / network.scale, targets, VALIDATION)
    trainer._network.set_weights(network.weights)

    assert trainer._programs.loss(held_out) == pytest.approx(min(network.losses), rel=1e-6)


def test_the_loss_is_the_mean_over_the_rows(trainer, data, network):
    """Forecast from windows in which each row is at the step that validation has it at."""
    values, targets = data
    held_out = trainer._batches((values - network.mean) / network.scale, targets, VALIDATION[:-3])
    trainer._network.set_weights(network.weights)
    outputs = np.asarray(trainer._network(held_out.inputs, training=False))

    error = np.abs(outputs - held_out.targets)[held_out.weights > 0]
    huber = np.where(error <= 1, error**2 / 2, error - 0.5)
    assert error.shape == (len(VALIDATION) - 3, 4)
    assert trainer._programs.loss(held_out) == pytest.approx(huber.mean(), rel=1e-5)


def test_it_learns_a_planted_relation(data):
    values, targets = data
    fast_trainer = LSTMTrainer(
        CONFIG.model_copy(update={"epochs": 30, "learning_rate": 0.02, "patience": 30}), features=3
    )

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


def test_fewer_rows_than_a_window_learns_are_too_few(trainer, data):
    with pytest.raises(TooShortHistory, match="^4 rows to train or validate on: at least 5 are needed$"):
        trainer.fit(*data, TRAIN, VALIDATION[:4], ignore)


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


@pytest.mark.parametrize(("layers", "cell"), [(1, "LSTM"), (3, "LSTM"), (2, "GRU")])
def test_the_export_takes_any_number_of_layers_of_each_cell(layers, cell, data):
    network = _build_network(CONFIG.model_copy(update={"layers": layers, "cell": cell}), 3)
    random = np.random.default_rng(3)
    network.set_weights([random.normal(scale=0.3, size=weight.shape) for weight in network.weights])
    mean, scale = scaler(data[0])
    model = TrainedLSTM(CONFIG.window, mean, scale, tuple(_copy_arrays(network.weights)), (), cell)
    no_linear = LinearForecast(np.zeros(3), np.zeros((3, 4)))
    windows = input_windows(data[0], np.arange(100, 140), CONFIG.window)

    onnx = price_model_onnx(PriceModel(no_linear, model), make_band(), COLUMNS)

    assert (model.layers, model.units) == (layers, CONFIG.units)
    scores = np.asarray(network(model.standardize(windows)))[:, -1]
    ones = np.ones(40, np.float32)
    expected = {"price": price_forecasts(scores, ones, ones)}
    assert check_parity(onnx, {"window": windows, "close": ones, "volatility": ones}, expected) < 1e-5


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


@pytest.mark.long  # to import TensorFlow takes 15 s
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
    run = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=PATIENCE)

    assert run.stdout.splitlines()[-1] == "backend tensorflow"
