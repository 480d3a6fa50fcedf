"""What a service of the stack is."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Service:
    """A process that the stack keeps running.

    command, environment, user:  how it is started, and as whom if not as oneself
    needs:                       the services that have to be ready before
    is_ready:                    whether it answers; called again and again, in a thread
    prepare:                     what is done once, when its needs are ready and before it starts
    stop_signal:                 what asks it to end
    """

    name: str
    command: Sequence[str]
    is_ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    prepare: Callable[[], None] = lambda: None
    stop_signal: signal.Signals = signal.SIGTERM
    user: str | None = None
