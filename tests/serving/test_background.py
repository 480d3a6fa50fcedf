import logging
from threading import Event

from tests.waiting import PATIENCE
from zenith_serving.background import Watcher


def test_tasks_run_at_once_and_again_until_stopped():
    calls, third_call = [], Event()

    def task():
        calls.append(1)
        if len(calls) == 3:
            third_call.set()

    watcher = Watcher([task], seconds=0.001)
    watcher.start()
    assert third_call.wait(PATIENCE)
    watcher.stop()
    count = len(calls)
    assert not third_call.clear() and not third_call.wait(0.02)
    assert len(calls) == count


def test_a_failing_task_is_logged_and_the_next_task_run(caplog):
    next_task = Event()

    def fails():
        raise RuntimeError("boom")

    watcher = Watcher([fails, next_task.set], seconds=60)
    with caplog.at_level(logging.ERROR):
        watcher.start()
        assert next_task.wait(PATIENCE)
        watcher.stop()
    assert "boom" in caplog.text


def test_the_same_failure_is_logged_once_and_another_one_again(caplog):
    errors, is_over = [ValueError("a"), ValueError("a"), ValueError("b"), None, ValueError("b")], Event()

    def task():
        if not errors:
            is_over.set()
        elif error := errors.pop(0):
            raise error

    watcher = Watcher([task], seconds=0.001)
    with caplog.at_level(logging.ERROR):
        watcher.start()
        assert is_over.wait(PATIENCE)
        watcher.stop()
    assert [str(record.exc_info[1]) for record in caplog.records] == ["a", "b", "b"]
