"""The price model: an LSTM from a window of features to standardized returns at every horizon.

It runs on any Keras 3 backend; the caller sets KERAS_BACKEND before Keras is first imported.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zenith_core.arrays import AnyFloats, Floats, Floats32, Ints
from zenith_core.errors import TooShortHistory, TrainingError
from zenith_core.features.targets import input_windows
from zenith_core.inference import HORIZONS
from zenith_pipelines.models.lstm_jax_epoch import epoch_trainer

if TYPE_CHECKING:
    from keras import Sequential, Variable


@dataclass(frozen=True)
class LSTMConfig:
    """Hyperparameters. A fold trains at most `epochs`, and stops `patience` epochs after its best one."""

    window: int = 60
    units: int = 32  # one layer: a second one, or 50 units, forecast no better (docs/decisions/0039)
    dropout: float = 0.2
    dense: int = 25
    horizons: int = HORIZONS
    epochs: int = 12
    patience: int = 3
    batch: int = 64
    learning_rate: float = 3e-4  # at 1e-3 the first epoch already memorizes noise
    clip_norm: float = 1.0  # a market crash inside a batch must not undo an epoch
    seed: int = 0


@dataclass(frozen=True)
class TrainedLSTM:
    """A trained network as plain arrays.

    window:       sessions in the input window
    mean, scale:  (features,) of the training rows; the network's input is (features - mean) / scale
    weights:      kernel, recurrent kernel, bias of the LSTM, then kernel, bias of each dense layer
    losses:       validation loss of each epoch; the weights are those of the lowest
    """

    window: int
    mean: Floats32
    scale: Floats32
    weights: tuple[Floats32, ...]
    losses: tuple[float, ...]

    def shrunk(self, factors: AnyFloats) -> "TrainedLSTM":
        """Return the network with outputs multiplied by `factors` (horizons,); its last layer is linear."""
        *lower_layers, kernel, bias = self.weights
        last_layer = (kernel * factors.astype(np.float32), bias * factors.astype(np.float32))
        return replace(self, weights=(*lower_layers, *last_layer))

    def standardize(self, values: AnyFloats) -> Floats32:
        """Standardize features (n, features) to the network's input."""
        return ((values - self.mean) / self.scale).astype(np.float32)


class LSTMTrainer:
    """One compiled network, trained again for each fold: compiling takes longer than some epochs.

    Every batch has the same shape, because the backend compiles each new shape.
    """

    def __init__(self, config: LSTMConfig, features: int) -> None:
        self._config = config
        self._network = _build_network(config, features)
        self._state = [*self._network.variables, *self._network.optimizer.variables]
        self._initial = _copy_arrays(self._state)
        self._train_epoch = epoch_trainer(self._network, config.batch)

    def fit(
        self,
        values: Floats32,
        targets: AnyFloats,
        train: Ints,
        validation: Ints,
        on_epoch: Callable[[int], None],
    ) -> TrainedLSTM:
        """Train from the initial weights on the windows that end at rows `train`; stop early on `validation`.

        `values` (n, features) and `targets` (n, horizons) are finite in these rows. Both row sets are cut to whole
        batches; the oldest rows are dropped. The scaler uses training rows only. `on_epoch(epochs)` is called after
        each epoch. Raises TooShortHistory for less than a batch, TrainingError if the loss is not finite.
        """
        config, network = self._config, self._network
        train, validation = self._whole_batches(train), self._whole_batches(validation)
        self._reset()
        mean, scale = scaler(values[train[0] - config.window + 1 : train[-1] + 1])
        inputs = (values - mean) / scale
        x, y = input_windows(inputs, train, config.window), targets[train].astype(np.float32)
        held_out = input_windows(inputs, validation, config.window), targets[validation].astype(np.float32)
        shuffle = np.random.default_rng(config.seed)
        losses: list[float] = []
        best: list[NDArray[Any]] = []
        for epoch in range(1, config.epochs + 1):
            order = shuffle.permutation(len(x))
            self._train_epoch(x[order], y[order])
            losses.append(_require_finite(network.evaluate(*held_out, batch_size=config.batch, verbose=0)))
            on_epoch(epoch)
            if losses[-1] == min(losses):
                best = _copy_arrays(network.weights)
            elif epoch - int(np.argmin(losses)) > config.patience:
                break
        return TrainedLSTM(config.window, mean, scale, tuple(best), tuple(losses))

    def predict(self, model: TrainedLSTM, values: Floats32, ends: Ints) -> Floats:
        """Forecast standardized returns (len(ends), horizons) from the windows that end at rows `ends`."""
        padding = -len(ends) % self._config.batch
        rows = np.concatenate([ends, np.repeat(ends[-1:], padding)])
        self._network.set_weights(model.weights)
        x = input_windows(model.standardize(values), rows, self._config.window)
        scores = self._network.predict(x, batch_size=self._config.batch, verbose=0)
        return np.asarray(scores[: len(ends)], dtype=np.float64)

    def _reset(self) -> None:
        for variable, value in zip(self._state, self._initial, strict=True):
            variable.assign(value)

    def _whole_batches(self, rows: Ints) -> Ints:
        if len(rows) < self._config.batch:
            raise TooShortHistory(f"{len(rows)} rows to train or validate on: at least {self._config.batch} are needed")
        return rows[len(rows) % self._config.batch :]


def scaler(rows: AnyFloats) -> tuple[Floats32, Floats32]:
    """Return mean and standard deviation of each column of (n, features); a constant column gets a deviation of 1."""
    mean, deviation = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    # Scaling would amplify the rounding errors of a constant column.
    constant = deviation <= 1e-6 * np.maximum(np.abs(mean), 1e-6)
    return mean.astype(np.float32), np.where(constant, 1.0, deviation).astype(np.float32)


def _copy_arrays(variables: Sequence["Variable"]) -> list[NDArray[Any]]:
    """Copy variables to arrays: the backend may reuse their memory."""
    from keras.ops import convert_to_numpy

    return [np.array(convert_to_numpy(variable.value)) for variable in variables]


def _require_finite(loss: float) -> float:
    if not np.isfinite(loss):
        raise TrainingError(f"the validation loss is {loss}: check the inputs for extreme values")
    return float(loss)


def _build_network(config: LSTMConfig, features: int) -> "Sequential":
    """Build and compile the network. Each layer gets the seed, so that no global random state is used."""
    from keras import Input, Sequential, initializers, layers, optimizers

    seed = config.seed
    lstm = layers.LSTM(
        config.units,
        kernel_initializer=initializers.GlorotUniform(seed),
        recurrent_initializer=initializers.Orthogonal(seed=seed),
    )
    network = Sequential(
        [
            Input((config.window, features)),
            lstm,
            layers.Dropout(config.dropout, seed=seed),
            layers.Dense(config.dense, "relu", kernel_initializer=initializers.GlorotUniform(seed)),
            # Zeros: training starts at the random walk and moves away only as far as the data support.
            layers.Dense(config.horizons, kernel_initializer="zeros"),
        ]
    )
    network.compile(optimizers.Adam(config.learning_rate, clipnorm=config.clip_norm), loss="huber")
    network.optimizer.build(network.trainable_variables)
    return network
