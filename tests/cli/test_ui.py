import pytest
from filelock import FileLock

from zenith_cli import ui
from zenith_cli.stack.layout import Layout
from zenith_cli.stack.up import bring_up
from zenith_core.errors import UserError
from zenith_pipelines.dagster_runtime.run_locks import hold_run_lock
from zenith_pipelines.settings import Settings


def test_dead_runs_are_failed_before_the_ui_starts(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    processes = []
    monkeypatch.setattr(ui.os, "execve", lambda *arguments: processes.append(arguments))
    monkeypatch.setattr(ui.signal, "signal", lambda *_: None)
    with pytest.raises(KeyboardInterrupt), hold_run_lock(Settings(), "dead"):
        raise KeyboardInterrupt
    locks = tmp_path / "dagster" / "alive"
    with FileLock(locks / "living.lock"):
        ui.open_ui("127.0.0.1", 0)
        assert [path.stem for path in locks.iterdir()] == ["living"]

    (_, command, environment) = processes[0]
    assert command[1:3] == ["dev", "--workspace"]
    assert environment["DAGSTER_HOME"] == str(tmp_path / "dagster")


@pytest.mark.parametrize("start", [lambda: ui.open_ui("127.0.0.1", 0), lambda: bring_up(8000)], ids=["ui", "up"])
def test_invalid_cron_expression_is_reported_before_anything_starts(monkeypatch, tmp_path, start):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.setenv("ZENITH_RETRAIN_CRON", "weekly")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setattr(ui.os, "execve", lambda *_: pytest.fail("the UI was started"))
    monkeypatch.setattr(Layout, "require_free_ports", lambda _: pytest.fail("the stack is about to be started"))

    with pytest.raises(UserError, match="ZENITH_RETRAIN_CRON 'weekly' is not a cron expression"):
        start()
