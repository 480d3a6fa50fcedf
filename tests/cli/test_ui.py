import pytest
from dagster import DagsterInstance
from filelock import FileLock

from zenith_cli import ui
from zenith_cli.stack.foreground import _LogPrinter
from zenith_cli.stack.layout import Layout
from zenith_cli.stack.up import bring_up
from zenith_core.errors import UserError
from zenith_pipelines.dagster_runtime.run_locks import hold_run_lock
from zenith_pipelines.settings import Settings


@pytest.mark.slow
def test_dead_runs_are_failed_before_the_ui_starts(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    stacks = []
    monkeypatch.setattr(ui, "run_in_foreground", record_services(stacks))
    with pytest.raises(KeyboardInterrupt), hold_run_lock(Settings(), "dead"):
        raise KeyboardInterrupt
    locks = tmp_path / "dagster" / "alive"
    with FileLock(locks / "living.lock"):
        ui.open_ui("127.0.0.1", 0)
        assert [path.stem for path in locks.iterdir()] == ["living"]

    (services,) = stacks
    assert [service.name for service in services] == ["code", "dagster", "daemon"]
    assert {service.environment["DAGSTER_HOME"] for service in services} == {str(tmp_path / "dagster")}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_a_host_that_others_reach_is_refused_without_the_flag(monkeypatch, host):
    monkeypatch.setattr(ui, "bind", lambda *_: pytest.fail("the port was opened"))

    with pytest.raises(UserError, match=r"lets other machines command Dagster.*--open-to-network"):
        ui.open_ui(host, 3000)


def test_the_flag_opens_dagster_to_the_network_behind_its_guard(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    stacks = []
    monkeypatch.setattr(ui, "run_in_foreground", record_services(stacks))
    monkeypatch.setattr(ui, "open_instance", lambda _: DagsterInstance.ephemeral())
    monkeypatch.setattr(ui, "fail_dead_runs", lambda _: None)

    assert ui.open_ui("0.0.0.0", 0, open_to_network=True) == 0

    command = next(service.command for service in stacks[0] if service.name == "dagster")
    assert "zenith_pipelines.dagster_runtime.webserver" in command
    assert command[command.index("--host") + 1] == "0.0.0.0"


def record_services(stacks):
    async def run(services, addresses, *, verbose):
        stacks.append(services)
        return 0

    return run


@pytest.mark.parametrize("start", [lambda: ui.open_ui("127.0.0.1", 0), lambda: bring_up(8000)], ids=["ui", "up"])
def test_invalid_cron_expression_is_reported_before_anything_starts(monkeypatch, tmp_path, start):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.setenv("ZENITH_RETRAIN_CRON", "weekly")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setattr(ui, "run_in_foreground", lambda *_: pytest.fail("the UI was started"))
    monkeypatch.setattr(Layout, "require_free_ports", lambda _: pytest.fail("the stack is about to be started"))

    with pytest.raises(UserError, match="ZENITH_RETRAIN_CRON 'weekly' is not a cron expression"):
        start()


@pytest.mark.parametrize(
    ("verbose", "shown"),
    [
        (False, ["a warning", "plain"]),
        (True, ["routine", "No cursor for event type RUN_FAILURE", "a warning", "plain"]),
    ],
)
def test_routine_lines_of_dagster_s_log_are_shown_with_verbose_only(capsys, verbose, shown):
    show = _LogPrinter(["code"], verbose=verbose)

    show("code", "2026-11-29 20:31:52 +0000 - dagster - DEBUG - retrain_model - routine")
    show(
        "code",
        "2026-11-29 20:31:52 +0000 - dagster.daemon - \x1b[33mWARNING\x1b[0m - No cursor for event type RUN_FAILURE",
    )
    show("code", "2026-11-29 20:31:52 +0000 - dagster - WARNING - retrain_model - a warning")
    show("code", "plain")

    assert [line.rpartition("- ")[2].rpartition("| ")[2] for line in capsys.readouterr().err.splitlines()] == shown
