"""Wait for something that another process does."""

import time


def wait_until(holds, seconds=30):
    """Call `holds` until it is true, at first every 50 ms, later every 0.5 s. Raise AssertionError after `seconds`."""
    deadline, pause = time.monotonic() + seconds, 0.05
    while not holds():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(pause)
        pause = min(1.2 * pause, 0.5)
