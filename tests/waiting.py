"""Wait for something that another process does."""

import time

PATIENCE = 600
"""Seconds after which a wait has failed. It costs nothing where the condition comes, and a busy machine needs it."""


def wait_until(holds, seconds=PATIENCE):
    """Call `holds` until it is true, at first every 50 ms, later every 0.5 s. Raise AssertionError after `seconds`.

    seconds: fewer only where the time itself is promised
    """
    deadline, pause = time.monotonic() + seconds, 0.05
    while not holds():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(pause)
        pause = min(1.2 * pause, 0.5)
