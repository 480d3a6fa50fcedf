"""A soak: three simulated months of nights, sensors, schedules and a service; memory, disk and ticks stay flat.

Each session that closes is a row more of the prices. The sensors and schedules say what is launched, as in `zenith up`;
the runs are those of Dagster, each night's in a process of its own. Retrained each week are a few tickers, with small
models and one epoch, because training is not what is tried here.

SOAK_TICKERS and SOAK_MONTHS make it shorter; from two months on its growth is asserted.
"""

import gc
import json
import os
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._utils.schedules import schedule_execution_time_iterator
from harness.servers import Server, zenith
from storage import GROWING, SMALL, sizes

from tests import forked
from tests.empty_databases import put_dagster_databases, put_mlflow_database
from tests.fast_clock import FastClock
from tests.waiting import PATIENCE
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import closing_times
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.definitions import defs
from zenith_pipelines.ingestion.sources.simulated import SimulatedSource
from zenith_pipelines.models.training import MIN_SESSIONS
from zenith_pipelines.production.ledger import FORECASTS, LEDGER
from zenith_pipelines.settings import Settings
from zenith_serving.settings import Settings as ServingSettings

pytestmark = pytest.mark.long

TICKERS = int(os.environ.get("SOAK_TICKERS", "50"))
SESSIONS = round(21 * float(os.environ.get("SOAK_MONTHS", "3")))
RETRAINED = 3  # tickers each week
HISTORY = MIN_SESSIONS + 20
API = "/api/v1/ml"
YEAR_BYTES = 3e6  # that a ticker may leave for ever in a year
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
NAMES = [f"SIM-{kind}-{number}" for number in range(1, TICKERS + 1) for kind in ("NOISE", "EDGE", "REGIME")][:TICKERS]


@dataclass
class Automation:
    """The sensors and schedules of the code location, with the state that Dagster's daemon keeps for them."""

    instance: dg.DagsterInstance
    cursors: dict[str, str | None] = field(default_factory=dict)
    keys: set[tuple[str, str]] = field(default_factory=set)
    cpu: dict[str, float] = field(default_factory=dict)

    def tick(self):
        """Evaluate each sensor once; return the runs that they request."""
        repository = defs.get_repository_def()
        for sensor in repository.sensor_defs:
            context = dg.build_sensor_context(
                self.instance, self.cursors.get(sensor.name), repository_def=repository, sensor_name=sensor.name
            )
            start = process_time()
            with partition_loading_context(dynamic_partitions_store=self.instance):  # as the daemon does
                data = sensor.evaluate_tick(context)
            self.cpu[sensor.name] = self.cpu.get(sensor.name, 0.0) + process_time() - start
            self.cursors[sensor.name] = data.cursor or self.cursors.get(sensor.name)
            for request in data.dynamic_partitions_requests or ():
                self.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
            yield from self._new(sensor.name, data.run_requests, sensor)

    def clock_strikes(self, since, until):
        """Evaluate each schedule at its times of that interval; return the runs that they request."""
        repository = defs.get_repository_def()
        for schedule in repository.schedule_defs:
            for moment in _times(schedule, since, until):
                context = dg.build_schedule_context(self.instance, moment, repository_def=repository)
                yield from self._new(schedule.name, schedule.evaluate_tick(context).run_requests, schedule)

    def _new(self, name, requests, definition):
        for request in requests or ():
            if (name, request.run_key) not in self.keys:
                self.keys.add((name, request.run_key))
                yield request.job_name or definition.job.name, request


def _times(schedule, since, until):
    """The times of a schedule after `since`, until `until`."""
    zone = schedule.execution_timezone
    for moment in schedule_execution_time_iterator(since.timestamp() + 1, schedule.cron_schedule, zone):
        if moment.timestamp() > until.timestamp():
            return
        yield moment


def _affordable(job, request):
    """The run as plain values: a weekly retraining is one of a few tickers, and any training is short."""
    config = json.loads(json.dumps(dict(request.run_config)))
    if job == "retrain_batch":
        options = config["ops"]["retrain_each"]["config"]
        if request.run_key != "first":
            options["tickers"] = [ticker for ticker in options["tickers"] if ticker in NAMES[:RETRAINED]]
        if not options["tickers"]:
            return None
        options |= {"epochs": 1, "models": SMALL}
    if job == "retrain_model":
        if request.partition_key not in NAMES[:RETRAINED]:
            return None
        config.setdefault("ops", {})["lstm_model"] = {"config": {"epochs": 1}}
    assets = [key.to_user_string() for key in request.asset_selection or ()]
    return {"job": job, "config": config, "tags": dict(request.tags), "partition": request.partition_key, "of": assets}


def _run_all(moment, diary, runs, output):
    """Launch the runs one after the other, at a simulated moment; write the CPU seconds and runs that failed."""
    patch, start, failed = pytest.MonkeyPatch(), process_time(), []
    with patch.context() as patch, open_instance(Settings()) as instance:
        FastClock(datetime.fromisoformat(moment)).install(patch)
        patch.setattr("zenith_pipelines.defs.jobs.oldest_kept_run", lambda _: _real_moment(moment, diary))
        for run in runs:
            result = defs.resolve_job_def(run["job"]).execute_in_process(
                instance=instance,
                run_config={**run["config"], **QUIET},
                partition_key=run["partition"],
                asset_selection=[dg.AssetKey(name) for name in run["of"]] or None,
                tags=run["tags"],
                raise_on_error=False,
            )
            failed += [] if result.success else [run["job"]]
    Path(output).write_text(json.dumps({"cpu": process_time() - start, "failed": failed}))


def _real_moment(moment, diary):
    """When it was 30 simulated days before `moment`, by the real clock that stamps Dagster's runs."""
    oldest = (datetime.fromisoformat(moment) - timedelta(days=30)).isoformat()
    earlier = [real for simulated, real in diary if simulated <= oldest]
    return datetime.fromisoformat(earlier[-1] if earlier else diary[0][1])


def _read(service, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.port}{path}", data, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        answer.read()


class Soak:
    """The simulated months, and what was measured in them."""

    def __init__(self, folder, patch):
        self.folder, self.home, self.prices = folder, folder / "home", folder / "prices"
        self.prices.mkdir()
        put_mlflow_database(self.home / "mlflow")
        put_dagster_databases(self.home)
        for name in ("DATABASE_URL", "MLFLOW_TRACKING_URI", "ZENITH_DATA_URI", "DAGSTER_HOME", "REDIS_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("ZENITH_HOME", str(self.home))
        patch.setenv("ZENITH_CSV_DIR", str(self.prices))
        patch.setenv("ZENITH_PRICE_SOURCE", "csv")
        patch.setenv("ZENITH_TICKERS", ",".join(NAMES))
        self.series = {name: SimulatedSource().fetch(name).prices.iloc[-HISTORY - SESSIONS :] for name in NAMES}
        days = self.series[NAMES[0]].index[HISTORY - 1 :]
        closes = closing_times(exchange_of(NAMES[0]), days)
        delay = timedelta(minutes=Settings().zenith_refresh_delay + 5)
        self.evenings = [close.to_pydatetime().astimezone(UTC) + delay for close in closes]
        self.clock = FastClock(self.evenings[0])
        self.clock.install(patch)
        self.diary, self.weeks, self.cleaned, self.nights = [], [], [], []

    def begin(self, automation):
        """Add the tickers, and train each once."""
        self._set(self.evenings[0])
        self._publish(HISTORY)
        requests = list(automation.tick())
        config = {"ops": {"retrain_each": {"config": {"tickers": NAMES}}}}
        first = dg.RunRequest(run_key="first", run_config=config)
        self._launch([("retrain_batch", first), *requests])

    def go_on(self, automation, service):
        """Let each session close, and after it everything happen that sensors and schedules want."""
        for number, evening in enumerate(self.evenings[1:], start=1):
            seconds = self._go_on_to(evening, automation)
            self._publish(HISTORY + number)
            self.nights.append(self._launch(automation.tick()))
            self._launch(automation.tick())  # the universe, after the refresh
            self._ask(service)
            self._look(number, automation, service)
            print(f"{evening:%Y-%m-%d}: schedules {seconds:.0f}, refresh {self.nights[-1]:.1f} CPU s", flush=True)
        self._go_on_to(self.clock.now() + timedelta(days=2), automation)  # the last month's clean-up

    def _go_on_to(self, moment, automation):
        """Let the time pass, and run what is scheduled in it; return its CPU seconds."""
        scheduled = list(automation.clock_strikes(self.clock.now(), moment))
        self._set(moment)
        seconds = self._launch(scheduled)
        if "cleanup_old_models" in {job for job, _ in scheduled}:
            self.cleaned.append(sizes(self.home))
        return seconds

    def _set(self, moment):
        self.clock.set(moment)
        self.diary.append((moment.isoformat(), datetime.now(UTC).isoformat()))

    def _publish(self, rows):
        for name, table in self.series.items():
            table.iloc[:rows].to_csv(self.prices / f"{name}.csv", index_label="date")

    def _launch(self, requests):
        """Execute the requested runs in one process of their own; return its CPU seconds."""
        runs = [run for job, request in requests if (run := _affordable(job, request))]
        if not runs:
            return 0.0
        output = self.folder / "runs.json"
        process = forked.start(_run_all, self.clock.now().isoformat(), self.diary, runs, str(output))
        process.join()
        assert process.exitcode == 0
        answer = json.loads(output.read_text())
        assert answer["failed"] == []
        return answer["cpu"]

    def _ask(self, service):
        for name in NAMES:
            _read(service, f"{API}/predict/comprehensive", {"ticker": name, "horizon": 5})
            _read(service, f"{API}/track-record/{name}")
        for path in (f"{API}/tickers", f"{API}/models", "/health"):
            _read(service, path)

    def _look(self, number, automation, service):
        if number % 5:
            return
        gc.collect()
        ticks, automation.cpu = automation.cpu, {}
        week = {
            "service_mb": service.resident_mb,
            "ticking_mb": Server(0, os.getpid()).resident_mb,
            "home": sizes(self.home),
            "ticks": ticks,
        }
        self.weeks.append(week)
        print(
            f"week {number // 5}: service {week['service_mb']:.0f} MB, ticks {week['ticking_mb']:.0f} MB and "
            f"{sum(ticks.values()):.2f} CPU s, home {sum(week['home'].values()) / 1e6:.1f} MB",
            flush=True,
        )


@pytest.fixture(scope="module")
def soak(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        soak = Soak(tmp_path_factory.mktemp("soak"), patch)
        with open_instance(Settings()) as instance:
            automation = Automation(instance)
            soak.begin(automation)
            with zenith(ServingSettings(zenith_home=soak.home)) as service:
                soak.go_on(automation, service)
        yield soak


def last_to_first(values):
    """The mean of the last third by the mean of the first."""
    third = max(1, len(values) // 3)
    return sum(values[-third:]) / sum(values[:third])


def test_memory_of_the_service_and_of_the_sensors_is_flat(soak):
    assert last_to_first([week["service_mb"] for week in soak.weeks]) < 1.15
    assert last_to_first([week["ticking_mb"] for week in soak.weeks]) < 1.15


def test_ticks_and_nights_cost_as_much_at_the_end_as_at_the_beginning(soak):
    assert last_to_first([sum(week["ticks"].values()) for week in soak.weeks]) < 1.5
    assert last_to_first(soak.nights) < 1.3


def test_the_home_grows_only_by_what_is_kept_for_ever(soak):
    if SESSIONS < 42:
        pytest.skip("a month has one clean-up")
    before, after = soak.cleaned[-2:]
    growth = {part: after[part] - before[part] for part in after}
    print({part: round(size / 1e3) for part, size in growth.items()}, "kB")
    assert sum(growth[part] for part in GROWING) < TICKERS * YEAR_BYTES / 12
    stock = [part for part in after if part not in GROWING]
    assert sum(after[part] for part in stock) < 1.15 * sum(before[part] for part in stock)


def test_each_ticker_has_a_forecast_of_each_session(soak):
    store = DatasetStore(Settings().data_uri)
    origins = {name: store.read(LEDGER, name).tables[FORECASTS]["origin"].nunique() for name in NAMES}
    assert origins == dict.fromkeys(NAMES, SESSIONS + 1)
