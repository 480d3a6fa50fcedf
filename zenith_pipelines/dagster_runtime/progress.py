"""How far a long stage has come, told to whoever watches."""

from collections.abc import Callable


class Progress:
    """Told by assets of each step of a long stage. This one is silent: Dagster's own log shows stages."""

    def update(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` steps of `stage` are finished."""

    def of(self, stage: str) -> Callable[[int, int], None]:
        """A `(done, total)` callback for one stage."""
        return lambda done, total: self.update(stage, done, total)


class ForwardedProgress(Progress):
    """Progress handed on to a function, such as a queue's `put`."""

    def __init__(self, forward: Callable[[str, int, int], None]) -> None:
        self._forward = forward

    def update(self, stage: str, done: int, total: int) -> None:
        """Hand the step on."""
        self._forward(stage, done, total)
