"""A thread that repeats small tasks, so that no request has to wait for them."""

import logging
from collections.abc import Callable, Sequence
from threading import Event, Thread

POLL_SECONDS = 2.0  # a moved alias takes effect within 5 s, also with a slow registry

_logger = logging.getLogger(__name__)


class Watcher:
    """Runs `tasks` at once and then every `seconds`, between `start` and `stop`.

    A task that fails is logged, once for the same error.
    """

    def __init__(self, tasks: Sequence[Callable[[], object]], seconds: float = POLL_SECONDS) -> None:
        self._tasks = tasks
        self._seconds = seconds
        self._stopped = Event()
        self._errors: dict[int, str] = {}  # the last error of each task that failed
        self._thread = Thread(target=self._run, name="zenith-watcher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the current task; wait 5 s at most."""
        self._stopped.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopped.is_set():
            for number, task in enumerate(self._tasks):
                try:
                    task()
                except Exception as error:
                    if self._errors.get(number) != repr(error):
                        _logger.exception("a background task failed")
                    self._errors[number] = repr(error)
                else:
                    self._errors.pop(number, None)
            self._stopped.wait(self._seconds)
