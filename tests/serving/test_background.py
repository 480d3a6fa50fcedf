import logging
from threading import Event

from zenith_serving.background import Watcher


def test_tasks_are_done_at_once_and_again_until_stopped():
    done, thrice = [], Event()

    def task():
        done.append(1)
        if len(done) == 3:
            thrice.set()

    watcher = Watcher([task], seconds=0.001)
    watcher.start()
    assert thrice.wait(5)
    watcher.stop()
    count = len(done)
    assert not thrice.clear() and not thrice.wait(0.02)
    assert len(done) == count


def test_a_task_that_fails_is_logged_and_stops_nothing(caplog):
    others = Event()

    def fails():
        raise RuntimeError("boom")

    watcher = Watcher([fails, others.set], seconds=60)
    with caplog.at_level(logging.ERROR):
        watcher.start()
        assert others.wait(5)
        watcher.stop()
    assert "boom" in caplog.text
