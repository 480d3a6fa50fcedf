"""A run on a Celery worker: it does its work there, and does not start again once it is cancelled."""

import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher import LaunchRunContext, WorkerStatus

from tests.waiting import wait_until
from zenith_core.names import QUEUE
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.settings import Settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Celery's workers fork"),
    # dagster-celery makes its task anew for each launch, which Celery 5.7 remarks on.
    pytest.mark.filterwarnings("ignore:Task name 'execute_job' is already registered"),
]

LAUNCHED = Path(__file__).parents[2] / "deploy" / "celery" / "dagster.yaml"
CELERY_WORKER = "zenith_pipelines.dagster_runtime.celery_worker"


class Sleep(dg.Config):
    seconds: float = 0


@dg.op
def slept(config: Sleep):
    time.sleep(config.seconds)


@dg.job(executor_def=dg.in_process_executor)
def sleeping():
    slept()


@pytest.fixture
def instance(tmp_path, redis, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.setenv("ZENITH_DAGSTER_CONFIG", str(LAUNCHED))
    monkeypatch.setenv("ZENITH_BROKER_URL", f"redis+socket://{redis.socket}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # where the worker finds this module
    with open_instance(Settings()) as instance:
        yield instance


@pytest.fixture
def worker(instance, tmp_path):
    log = tmp_path / "worker.log"
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "zenith_pipelines.dagster_runtime.celery_worker",
        "worker",
        "--loglevel",
        "info",
    ]
    with log.open("wb") as output:
        worker = subprocess.Popen(command, stdout=output, stderr=output)
    wait_until(lambda: " ready." in log.read_text())
    yield worker
    worker.kill()
    worker.wait()


def launch(instance, seconds):
    job = dg.reconstructable(sleeping)
    run = instance.create_run_for_job(
        sleeping,
        run_config={"ops": {"slept": {"config": {"seconds": seconds}}}},
        tags={QUEUE: "maintenance"},
        job_code_origin=job.get_python_origin(),
    )
    instance.report_dagster_event(dg.DagsterEvent("PIPELINE_STARTING", "sleeping"), run_id=run.run_id)
    instance.run_launcher.launch_run(LaunchRunContext(instance.get_run_by_id(run.run_id), None))
    return run.run_id


def status(instance, run_id):
    return instance.get_run_by_id(run_id).status.value


def test_a_run_ends_on_the_worker_and_one_that_is_canceled_ends_as_canceled(instance, worker):
    first = launch(instance, 0)
    wait_until(lambda: status(instance, first) == "SUCCESS")

    second = launch(instance, 600)
    wait_until(lambda: instance.all_logs(second, dg.DagsterEventType.STEP_START))
    assert instance.run_launcher.check_run_worker_health(instance.get_run_by_id(second)).status is WorkerStatus.RUNNING
    assert instance.run_launcher.terminate(second)
    wait_until(lambda: status(instance, second) == "CANCELED")
    assert not instance.run_launcher.terminate(second)


def test_a_run_that_was_launched_otherwise_is_left_to_its_lock(instance):
    run = instance.create_run_for_job(sleeping)
    assert instance.run_launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
    assert not instance.run_launcher.terminate(run.run_id)
