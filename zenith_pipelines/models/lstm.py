"""The price model: a recurrent network from a window of features to standardized returns at every horizon.

It runs on any Keras 3 backend; the caller sets KERAS_BACKEND before Keras is first imported.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from zenith_core.arrays import AnyFloats, Floats, Floats32, Ints
from zenith_core.errors import TooShortHistory, TrainingError
from zenith_core.features.targets import input_windows
from zenith_core.inference import HORIZONS
from zenith_core.model_kinds.options import DEFAULT_EPOCHS, NetworkOptions
from zenith_pipelines.models.lstm_programs import Batches, make_programs

if TYPE_CHECKING:
    from keras import Sequential, Variable
    from keras.layers import RNN


CELLS = ("LSTM", "GRU")
"""The recurrent layers, by the name that Keras and ONNX share."""

FORECAST_BATCH = 128  # windows; a fold has some 300 to 500 to forecast from


class LSTMConfig(NetworkOptions):
    """The configuration with the hyperparameters that are no option.

    A fold trains at most `epochs`, and stops `patience` epochs after its best one. `horizon` is the one of the
    `horizons` that is scored first.

    The network learns the target of each step in the second half of a window, so that one window teaches `window // 2`
    rows, each with at least half a window of history (docs/decisions/0043).
    """

    epochs: int = DEFAULT_EPOCHS
    horizons: int = HORIZONS
    clip_norm: float = 1.0  # a market crash inside a batch must not undo an epoch
    seed: int = 0
    cell: str = CELLS[0]

    @classmethod
    def of(cls, options: NetworkOptions, cell: str = CELLS[0]) -> Self:
        """Return the hyperparameters of a configuration."""
        return cls(**options.model_dump(exclude_none=True), cell=cell)

    @property
    def learned_steps(self) -> int:
        """The last steps of a window, whose targets are learned."""
        return max(self.window // 2, 1)


@dataclass(frozen=True)
class TrainedLSTM:
    """A trained network as plain arrays.

    window:       sessions in the input window
    mean, scale:  (features,) of the training rows; the network's input is (features - mean) / scale
    weights:      kernel, recurrent kernel, bias of each recurrent layer, then kernel, bias of each dense layer
    losses:       validation loss of each epoch; the weights are those of the lowest
    cell:         one of CELLS
    """

    window: int
    mean: Floats32
    scale: Floats32
    weights: tuple[Floats32, ...]
    losses: tuple[float, ...]
    cell: str = CELLS[0]

    @property
    def layers(self) -> int:
        """The number of recurrent layers: two dense layers follow them."""
        return (len(self.weights) - 4) // 3

    @property
    def units(self) -> int:
        """The units of each recurrent layer."""
        return int(self.weights[1].shape[0])

    def shrunk(self, factors: AnyFloats) -> "TrainedLSTM":
        """Return the network with outputs multiplied by `factors` (horizons,); its last layer is linear."""
        *lower_layers, kernel, bias = self.weights
        last_layer = (kernel * factors.astype(np.float32), bias * factors.astype(np.float32))
        return replace(self, weights=(*lower_layers, *last_layer))

    def standardize(self, values: AnyFloats) -> Floats32:
        """Standardize features (n, features) to the network's input."""
        return ((values - self.mean) / self.scale).astype(np.float32)


class LSTMTrainer:
    """One compiled network, trained again for each fold: compiling takes longer than many epochs."""

    def __init__(self, config: LSTMConfig, features: int) -> None:
        self._config = config
        self._network = _build_network(config, features)
        self._state = [*self._network.variables, *self._network.optimizer.variables]
        self._initial = _copy_arrays(self._state)
        self._programs = make_programs(self._network, config.batch, FORECAST_BATCH)

    def fit(
        self,
        values: Floats32,
        targets: AnyFloats,
        train: Ints,
        validation: Ints,
        on_epoch: Callable[[int], None],
    ) -> TrainedLSTM:
        """Train from the initial weights on the targets of rows `train`; stop early on those of `validation`.

        `values` (n, features) and `targets` (n, horizons) are finite in these rows, which ascend. No other target is
        read. The scaler uses training rows only. `on_epoch(epochs)` is called after each epoch.
        Raises TooShortHistory for fewer rows than a window learns, TrainingError if the loss is not finite.
        """
        config, network = self._config, self._network
        self._require_rows(train)
        self._require_rows(validation)
        self._reset()
        mean, scale = scaler(values[train[0] - config.window + 1 : train[-1] + 1])
        inputs = (values - mean) / scale
        training, held_out = (self._batches(inputs, targets, rows) for rows in (train, validation))
        shuffle = np.random.default_rng(config.seed)
        losses: list[float] = []
        best: list[NDArray[Any]] = []
        for epoch in range(1, config.epochs + 1):
            self._programs.train(training[shuffle.permutation(len(training.inputs))])
            losses.append(_require_finite(self._programs.loss(held_out)))
            on_epoch(epoch)
            if losses[-1] == min(losses):
                best = _copy_arrays(network.weights)
            elif epoch - int(np.argmin(losses)) > config.patience:
                break
        return TrainedLSTM(config.window, mean, scale, tuple(best), tuple(losses), config.cell)

    def predict(self, model: TrainedLSTM, values: Floats32, ends: Ints) -> Floats:
        """Forecast standardized returns (len(ends), horizons) from the windows that end at rows `ends`."""
        padding = -len(ends) % FORECAST_BATCH
        rows = np.concatenate([ends, np.repeat(ends[-1:], padding)])
        self._network.set_weights(model.weights)
        x = input_windows(model.standardize(values), rows, self._config.window)
        return self._programs.forecast(x)[: len(ends)].astype(np.float64)

    def _batches(self, inputs: Floats32, targets: AnyFloats, rows: Ints) -> Batches:
        """Cut windows whose learned steps cover each of `rows` once; the newest window ends at the last of them.

        So no window contains a later row. Steps that are not in `rows` have the weight 0, and so have the windows that
        complete the last batch.
        """
        steps = self._config.learned_steps
        count = -((rows[0] - rows[-1] - 1) // steps)
        padding = -count % self._config.batch
        ends = rows[-1] - steps * np.arange(count)
        ends = np.concatenate([ends, np.repeat(ends[:1], padding)])
        learned = ends[:, np.newaxis] + np.arange(1 - steps, 1)
        counts = np.isin(learned, rows)
        counts[count:] = False
        y = np.where(counts[..., np.newaxis], targets[learned], 0.0)
        windows = input_windows(inputs, ends, self._config.window)
        return Batches(windows, y.astype(np.float32), counts.astype(np.float32))

    def _reset(self) -> None:
        for variable, value in zip(self._state, self._initial, strict=True):
            variable.assign(value)

    def _require_rows(self, rows: Ints) -> None:
        least = self._config.learned_steps
        if len(rows) < least:
            raise TooShortHistory(f"{len(rows)} rows to train or validate on: at least {least} are needed")


@lru_cache(maxsize=4)
def trainer_of(config: LSTMConfig, features: int) -> LSTMTrainer:
    """Return the trainer of a configuration: the same one for all studies of a process, which compiles once."""
    return LSTMTrainer(config, features)


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
    """Build and compile the network, with outputs at each learned step.

    The initial weights are drawn by NumPy: the same on each backend, and no program to compile for each shape.
    """
    from keras import Input, Sequential, layers, optimizers

    random = np.random.default_rng(config.seed)

    def uniform(shape: tuple[int, int], dtype: str | None = None) -> Floats:
        limit = float(np.sqrt(6 / sum(shape)))  # Glorot and Bengio, 2010
        return random.uniform(-limit, limit, shape)

    def orthogonal(shape: tuple[int, int], dtype: str | None = None) -> Floats:
        orthonormal, triangle = np.linalg.qr(random.normal(size=shape[::-1]))
        return np.asarray((orthonormal * np.sign(np.diag(triangle))).T, dtype=np.float64)

    recurrent: list[Any] = []
    recurrent_layer = _recurrent_layer(config.cell)
    for layer in range(config.layers):
        cell = recurrent_layer(
            config.units, kernel_initializer=uniform, recurrent_initializer=orthogonal, return_sequences=True
        )
        recurrent += [cell, layers.Dropout(config.dropout, seed=config.seed + layer)]
    network = Sequential(
        [
            Input((config.window, features)),
            *recurrent,
            layers.Cropping1D((config.window - config.learned_steps, 0)),
            layers.Dense(config.dense, "relu", kernel_initializer=uniform),
            # Zeros: training starts at the random walk and moves away only as far as the data support.
            layers.Dense(config.horizons, kernel_initializer="zeros"),
        ]
    )
    network.compile(optimizers.Adam(config.learning_rate, clipnorm=config.clip_norm), loss="huber")
    network.optimizer.build(network.trainable_variables)
    return network


def _recurrent_layer(cell: str) -> "type[RNN]":
    """Return Keras' layer of a cell, on JAX with our gradient if there is one."""
    from keras import layers
    from keras.config import backend

    if cell == "LSTM" and backend() == "jax":
        from zenith_pipelines.models.jax_lstm import JaxLSTM

        return JaxLSTM
    layer: type[RNN] = getattr(layers, cell)
    return layer
