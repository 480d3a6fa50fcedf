"""Schedules and the refresh after the close, run by the daemon's code on a real instance at chosen moments."""

import logging
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs

from tests.empty_databases import put_dagster_databases
from zenith_core.errors import UserError
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.definitions import defs
from zenith_pipelines.defs import sensors
from zenith_pipelines.defs.schedules import make_schedules
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import add_tickers, remove_tickers

pytestmark = [
    pytest.mark.slow,
    # Raised inside Dagster.
    pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars` is deprecated"),
]

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
SATURDAY = datetime(2026, 11, 21, 12, tzinfo=SAO_PAULO)
LOGGER = logging.getLogger("test")


class Daemon:
    """The daemon at a moment: the runs that it has queued since the last call, as (job, tickers of a batch)."""

    def __init__(self, instance, workspace, monkeypatch):
        self.instance = instance
        self._workspace = workspace
        self._monkeypatch = monkeypatch
        self._earlier = {run.run_id for run in instance.get_runs()}

    def schedules_at(self, moment):
        with freeze_time(moment):
            list(launch_scheduled_runs(self._workspace, LOGGER, moment.astimezone(UTC), {}))
        return self._launched()

    def sensors_at(self, moment):
        self._monkeypatch.setattr(sensors, "_now", lambda: moment)
        with freeze_time(moment):
            list(execute_sensor_iteration(self._workspace, LOGGER, None, None))
        return self._launched()

    def _launched(self):
        runs = [run for run in self.instance.get_runs() if run.run_id not in self._earlier]
        self._earlier.update(run.run_id for run in runs)
        assert {run.status for run in runs} <= {dg.DagsterRunStatus.QUEUED}
        return sorted((run.job_name, tickers_of(run)) for run in runs)


def tickers_of(run):
    """The tickers of a batch, from its run or its request; None for another run."""
    for op in run.run_config.get("ops", {}).values():
        return op["config"]["tickers"]
    return None


@contextmanager
def daemon_on(instance, monkeypatch):
    """Start a daemon."""
    origin = LoadableTargetOrigin(module_name="zenith_pipelines.definitions", attribute="defs")
    target = InProcessWorkspaceLoadTarget(InProcessCodeLocationOrigin(origin, location_name="zenith"))
    with create_test_daemon_workspace_context(target, instance) as workspace:
        yield Daemon(instance, workspace, monkeypatch)


@pytest.fixture
def instance(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    put_dagster_databases(tmp_path)
    with open_instance(Settings()) as instance:
        add_tickers(instance, ["AAPL", "PETR4.SA"])
        yield instance


@pytest.fixture
def daemon(instance, monkeypatch):
    with daemon_on(instance, monkeypatch) as daemon:
        yield daemon


WEEKLY = [("retrain_batch", ["AAPL", "PETR4.SA"])]
OF_ALL_TICKERS = [("backtest_books", None), ("learn_scale", None)]
DAILY = [("clear_prediction_cache", None)]
MONTHLY = [("cleanup_old_models", None)]


def test_every_ticker_is_retrained_once_at_two_on_sunday(daemon):
    assert daemon.schedules_at(SATURDAY) == []
    sunday = SATURDAY.replace(day=22, hour=0)
    assert daemon.schedules_at(sunday) == DAILY
    assert sorted(daemon.schedules_at(sunday.replace(hour=1, minute=59))) == OF_ALL_TICKERS
    assert daemon.schedules_at(sunday.replace(hour=2)) == WEEKLY
    assert daemon.schedules_at(sunday.replace(hour=3)) == []


def test_models_are_cleaned_up_at_three_on_the_first_of_the_month(daemon):
    first = SATURDAY.replace(month=12, day=1, hour=2, minute=30)
    assert MONTHLY[0] not in daemon.schedules_at(SATURDAY) + daemon.schedules_at(first)
    assert daemon.schedules_at(first.replace(hour=3, minute=0)) == MONTHLY


def test_missed_ticks_run_once_and_late(instance, monkeypatch):
    with daemon_on(instance, monkeypatch) as daemon:
        assert daemon.schedules_at(SATURDAY) == []

    with daemon_on(instance, monkeypatch) as daemon:  # the machine was off for three weeks
        late = SATURDAY + timedelta(weeks=3, hours=20)
        requests = sorted([*MONTHLY, *DAILY, *WEEKLY, *OF_ALL_TICKERS], key=str)
        assert sorted(daemon.schedules_at(late), key=str) == requests
        assert daemon.schedules_at(late + timedelta(minutes=1)) == []


def evaluate(instance, name):
    """Evaluate a schedule; return the tickers of its requests, or the reason for none."""
    (schedule,) = [each for each in make_schedules(Settings()) if each.name == name]
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=SATURDAY, repository_def=defs.get_repository_def()
    )
    data = schedule.evaluate_tick(context)
    return [tickers_of(request) for request in data.run_requests], data.skip_message


def test_a_removed_ticker_is_no_longer_scheduled(instance):
    assert evaluate(instance, "weekly_retraining") == ([["AAPL", "PETR4.SA"]], None)
    remove_tickers(instance, Settings(), ["AAPL"])
    assert evaluate(instance, "weekly_retraining") == ([["PETR4.SA"]], None)
    remove_tickers(instance, Settings(), ["PETR4.SA"])
    assert evaluate(instance, "weekly_retraining") == ([], "there are no tickers yet")


def test_crons_and_time_zone_are_settings():
    settings = Settings(zenith_timezone="Europe/Berlin", zenith_retrain_cron="30 4 * * 6")

    (weekly,) = [each for each in make_schedules(settings) if each.name == "weekly_retraining"]

    assert (weekly.cron_schedule, weekly.execution_timezone) == ("30 4 * * 6", "Europe/Berlin")


@pytest.mark.parametrize("cron", ["", "every sunday", "0 2 * *", "61 2 * * 0"])
def test_an_invalid_cron_expression_is_one_line_that_names_the_setting(cron):
    with pytest.raises(
        UserError, match=r"^ZENITH_RETRAIN_CRON .* is not a cron expression: expected five fields"
    ) as error:
        make_schedules(Settings(zenith_retrain_cron=cron))

    assert "\n" not in str(error.value)


@pytest.mark.parametrize("zone", ["", "America", "Brazil/Rio", "../etc/passwd"])
def test_an_invalid_time_zone_is_one_line_that_names_the_setting(zone):
    with pytest.raises(UserError, match=r"^ZENITH_TIMEZONE .*: not a time zone, such as America/Sao_Paulo$"):
        Settings(zenith_timezone=zone)


def test_the_size_of_a_batch_is_a_setting(instance, monkeypatch):
    monkeypatch.setenv("ZENITH_BATCH_SIZE", "1")

    assert evaluate(instance, "weekly_retraining") == ([["AAPL"], ["PETR4.SA"]], None)


def refreshes(*tickers):
    return [("refresh_batch", list(tickers))]


@pytest.fixture
def memory_instance(monkeypatch, tmp_path):
    """An instance in memory, for tests without a daemon."""
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        add_tickers(instance, ["AAPL", "PETR4.SA"])
        yield instance


@pytest.fixture
def evaluate_sensor(memory_instance, monkeypatch):
    """Evaluate the sensor at a moment, with the cursor of its last evaluation; return the tickers to refresh."""
    cursor = None

    def evaluate_sensor(*moment):
        nonlocal cursor
        monkeypatch.setattr(sensors, "_now", lambda: datetime(*moment, tzinfo=UTC))
        result = sensors.refresh_after_close(dg.build_sensor_context(instance=memory_instance, cursor=cursor))
        cursor = result.cursor
        return sorted(ticker for request in result.run_requests for ticker in tickers_of(request))

    return evaluate_sensor


def test_tickers_are_refreshed_once_an_hour_after_the_close_of_their_exchange(evaluate_sensor):
    assert evaluate_sensor(2026, 11, 23, 12) == ["AAPL", "PETR4.SA"]  # Friday's session, at once
    assert evaluate_sensor(2026, 11, 23, 21, 59) == []  # both close at 21:00 UTC in November
    assert evaluate_sensor(2026, 11, 23, 22) == ["AAPL", "PETR4.SA"]
    assert evaluate_sensor(2026, 11, 23, 23) == []


def test_the_delay_is_a_setting(evaluate_sensor, monkeypatch):
    monkeypatch.setenv("ZENITH_REFRESH_DELAY", "5")
    assert evaluate_sensor(2026, 11, 23, 12) == ["AAPL", "PETR4.SA"]
    assert evaluate_sensor(2026, 11, 23, 21, 4) == []
    assert evaluate_sensor(2026, 11, 23, 21, 5) == ["AAPL", "PETR4.SA"]


def test_the_calendar_of_the_exchange_decides_on_holidays_and_half_days(evaluate_sensor):
    assert evaluate_sensor(2026, 11, 25, 23) == ["AAPL", "PETR4.SA"]
    assert evaluate_sensor(2026, 11, 26, 23) == ["PETR4.SA"]  # Thanksgiving is New York's alone
    assert evaluate_sensor(2026, 11, 27, 18, 59) == []
    assert evaluate_sensor(2026, 11, 27, 19) == ["AAPL"]  # New York closed at 18:00 UTC


def test_a_new_ticker_is_refreshed_at_once_and_a_removed_one_is_forgotten(evaluate_sensor, memory_instance):
    assert evaluate_sensor(2026, 11, 23, 12) == ["AAPL", "PETR4.SA"]
    remove_tickers(memory_instance, Settings(), ["AAPL"])
    add_tickers(memory_instance, ["IBM"])
    assert evaluate_sensor(2026, 11, 23, 13) == ["IBM"]
    add_tickers(memory_instance, ["AAPL"])
    assert evaluate_sensor(2026, 11, 23, 14) == ["AAPL"]


def test_one_refresh_makes_up_for_missed_sessions(evaluate_sensor):
    assert evaluate_sensor(2026, 11, 3, 23) == ["AAPL", "PETR4.SA"]
    assert evaluate_sensor(2026, 11, 17, 23) == ["AAPL", "PETR4.SA"]  # the machine was off for two weeks
    assert evaluate_sensor(2026, 11, 18, 0) == []


def test_the_daemon_queues_a_refresh_once_even_after_a_restart(instance, monkeypatch):
    with daemon_on(instance, monkeypatch) as daemon:
        assert daemon.sensors_at(datetime(2026, 11, 17, 23, tzinfo=UTC)) == refreshes("AAPL", "PETR4.SA")

    with daemon_on(instance, monkeypatch) as daemon:
        assert daemon.sensors_at(datetime(2026, 11, 18, tzinfo=UTC)) == []
