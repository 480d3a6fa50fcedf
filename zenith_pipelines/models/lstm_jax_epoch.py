"""Train one epoch: on JAX each batch in two halves, which two threads can share."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from zenith_core.arrays import Floats32
from zenith_pipelines.models import TRAINING_THREADS

if TYPE_CHECKING:
    from keras import Model

_SEED_SHIFT = 1 << 16  # the seeds of the layers are closer together


def epoch_trainer(network: "Model", batch: int) -> Callable[[Floats32, Floats32], None]:
    """Return a function that trains `network` for one epoch on inputs (n, ...) and targets (n, ...), in their order.

    The network is compiled with the Huber loss, its optimizer is built, and n is a multiple of `batch`.
    """
    from keras.config import backend

    if backend() == "jax":
        return _HalvedBatches(network, batch).train

    def epoch(x: Floats32, y: Floats32) -> None:
        network.fit(x, y, batch_size=batch, shuffle=False, verbose=0)

    return epoch


class _HalvedBatches:
    """Train each batch as two halves; its gradient is the sum of their gradients.

    With such small matrices a second thread inside XLA does not help, but one for the other half does. The same
    program computes each half in both cases, so the number of threads does not change the result.
    """

    def __init__(self, network: "Model", batch: int) -> None:
        import jax

        self._network, self._batch = network, batch
        self._gradients = jax.jit(self._half_gradients)
        self._update = jax.jit(self._apply_gradients)

    def train(self, x: Floats32, y: Floats32) -> None:
        """Train one epoch and assign the new values to the network's variables."""
        variables = [*self._variables()]
        state = [[variable.value for variable in group] for group in variables]
        with ThreadPoolExecutor(min(2, int(os.environ.get(TRAINING_THREADS, "1")))) as pool:
            for start in range(0, len(x), self._batch):
                rows = slice(start, start + self._batch)
                state = self._step(pool, state, x[rows], y[rows])
        for group, values in zip(variables, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)

    def _variables(self) -> Any:
        return (
            self._network.trainable_variables,
            self._network.non_trainable_variables,
            self._network.optimizer.variables,
        )

    def _step(self, pool: ThreadPoolExecutor, state: Any, x: Floats32, y: Floats32) -> Any:
        weights, random, moments = state
        middle = self._batch // 2
        halves = [(x[:middle], y[:middle], 0), (x[middle:], y[middle:], _SEED_SHIFT)]
        (first, after), (second, _) = pool.map(lambda half: self._compute(weights, random, *half), halves)
        weights, moments = self._update(weights, moments, first, second)
        return weights, after, moments

    def _compute(self, *arguments: Any) -> Any:
        import jax

        return jax.block_until_ready(self._gradients(*arguments))  # type: ignore[no-untyped-call]

    def _half_gradients(self, weights: Any, random: Any, x: Any, y: Any, shift: Any) -> Any:
        """Return the half's part of the batch's gradient, and the random state after it.

        The layers' seeds are shifted by `shift`, so that the halves draw different dropout masks.
        """
        import jax
        from keras.losses import Huber

        def loss(weights: Any) -> Any:
            seeds = [state.at[0].add(shift) for state in random]
            outputs, after = self._network.stateless_call(weights, seeds, x, training=True)
            return Huber(reduction="sum")(y, outputs) / self._batch, after

        gradients, after = jax.grad(loss, has_aux=True)(weights)
        return gradients, [state.at[0].subtract(shift) for state in after]

    def _apply_gradients(self, weights: Any, moments: Any, first: Any, second: Any) -> Any:
        gradients = [a + b for a, b in zip(first, second, strict=True)]
        return self._network.optimizer.stateless_apply(moments, gradients, weights)
