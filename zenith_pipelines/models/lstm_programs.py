"""Train and run the network in batches of one shape: compiled by JAX, or by Keras' own loops on other backends.

All windows of a study have one shape, and so do all batches. So each program is compiled once for all folds.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from zenith_core.arrays import Floats32, Ints

if TYPE_CHECKING:
    from keras import Model


@dataclass(frozen=True)
class Batches:
    """Windows in whole batches.

    inputs:   (n, window, features)
    targets:  (n, steps, horizons) of each window's last steps; 0 where the weight is 0
    weights:  (n, steps): 1 where the target counts, else 0
    """

    inputs: Floats32
    targets: Floats32
    weights: Floats32

    def __getitem__(self, windows: Ints | slice) -> "Batches":
        return Batches(self.inputs[windows], self.targets[windows], self.weights[windows])


class Programs(Protocol):
    """The programs of one network that is compiled with the Huber loss and whose optimizer is built."""

    def train(self, batches: Batches) -> None:
        """Train the network for one epoch, on the batches in their order."""

    def loss(self, batches: Batches) -> float:
        """Return the mean loss of the targets that count."""

    def forecast(self, inputs: Floats32) -> Floats32:
        """Return the outputs (n, horizons) at the last step of windows (n, window, features)."""


def make_programs(network: "Model", batch: int, forecast_batch: int) -> Programs:
    """Return the programs for Keras' backend. They take whole batches of `batch` or `forecast_batch` windows."""
    from keras.config import backend

    programs = _JaxPrograms if backend() == "jax" else _KerasPrograms
    return programs(network, batch, forecast_batch)


class _KerasPrograms:
    def __init__(self, network: "Model", batch: int, forecast_batch: int) -> None:
        self._network, self._batch, self._forecast_batch = network, batch, forecast_batch

    def train(self, batches: Batches) -> None:
        data = {"x": batches.inputs, "y": batches.targets, "sample_weight": batches.weights}
        self._network.fit(**data, batch_size=self._batch, shuffle=False, verbose=0)

    def loss(self, batches: Batches) -> float:
        data = {"x": batches.inputs, "y": batches.targets, "sample_weight": batches.weights}
        mean = self._network.evaluate(**data, batch_size=self._batch, verbose=0)
        return float(mean) * batches.weights.size / float(batches.weights.sum())

    def forecast(self, inputs: Floats32) -> Floats32:
        outputs = self._network.predict(inputs, batch_size=self._forecast_batch, verbose=0)
        return np.asarray(outputs[:, -1], dtype=np.float32)


class _JaxPrograms:
    """Without Keras' loops, whose overhead for each batch and each call is as long as the arithmetic."""

    def __init__(self, network: "Model", batch: int, forecast_batch: int) -> None:
        import jax

        self._network, self._batch, self._forecast_batch = network, batch, forecast_batch
        self._train_step, self._sum_losses = jax.jit(self._train_batch), jax.jit(self._sum_batch)
        self._forecast_step = jax.jit(self._forecast_windows)

    def train(self, batches: Batches) -> None:
        variables = [*self._variables(), self._network.optimizer.variables]
        state = _values(variables)
        for batch in self._split(batches):
            state = self._train_step(*state, batch.inputs, batch.targets, batch.weights)
        for group, values in zip(variables, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)

    def loss(self, batches: Batches) -> float:
        state = _values(self._variables())
        losses = [self._sum_losses(*state, b.inputs, b.targets, b.weights) for b in self._split(batches)]
        return float(sum(losses)) / float(batches.weights.sum())

    def forecast(self, inputs: Floats32) -> Floats32:
        state, size = _values(self._variables()), self._forecast_batch
        outputs = [self._forecast_step(*state, inputs[start : start + size]) for start in range(0, len(inputs), size)]
        return np.concatenate([np.asarray(each, dtype=np.float32) for each in outputs])

    def _variables(self) -> list[Any]:
        return [self._network.trainable_variables, self._network.non_trainable_variables]

    def _split(self, batches: Batches) -> list[Batches]:
        return [batches[start : start + self._batch] for start in range(0, len(batches.inputs), self._batch)]

    def _train_batch(self, weights: Any, random: Any, moments: Any, x: Any, y: Any, counts: Any) -> Any:
        import jax

        def mean_loss(weights: Any) -> Any:
            outputs, after = self._network.stateless_call(weights, random, x, training=True)
            return _weighted_huber(y, outputs, counts) / counts.size, after

        gradients, after = jax.grad(mean_loss, has_aux=True)(weights)
        weights, moments = self._network.optimizer.stateless_apply(moments, gradients, weights)
        return weights, after, moments

    def _sum_batch(self, weights: Any, random: Any, x: Any, y: Any, counts: Any) -> Any:
        outputs, _ = self._network.stateless_call(weights, random, x, training=False)
        return _weighted_huber(y, outputs, counts)

    def _forecast_windows(self, weights: Any, random: Any, x: Any) -> Any:
        outputs, _ = self._network.stateless_call(weights, random, x, training=False)
        return outputs[:, -1]


def _weighted_huber(y: Any, outputs: Any, counts: Any) -> Any:
    from keras.losses import Huber

    return (Huber(reduction="none")(y, outputs) * counts).sum()


def _values(variables: list[Any]) -> list[list[Any]]:
    return [[variable.value for variable in group] for group in variables]
