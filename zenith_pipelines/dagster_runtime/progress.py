"""Progress of long stages, reported to a bar or a parent process."""

from collections.abc import Callable


class Progress:
    """Receives the progress of a long stage from its asset. This one ignores it, because Dagster's log shows stages."""

    def update(self, stage: str, done: int, total: int) -> None:
        """Report that `done` of `total` steps of `stage` are finished."""

    def of(self, stage: str) -> Callable[[int, int], None]:
        """Return a `(done, total)` callback for one stage."""
        return lambda done, total: self.update(stage, done, total)


class ForwardedProgress(Progress):
    """Forwards the progress to a function, such as the `send` of a pipe."""

    def __init__(self, forward: Callable[[str, int, int], None]) -> None:
        self._forward = forward

    def update(self, stage: str, done: int, total: int) -> None:
        """Forward the step."""
        self._forward(stage, done, total)
