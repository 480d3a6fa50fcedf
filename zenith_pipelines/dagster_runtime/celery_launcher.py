"""Dagster's Celery run launcher, adapted to run locks. deploy/celery/dagster.yaml names this class."""

from typing import Any

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery import launcher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from kombu.entity import Queue

from zenith_core.names import QUEUES


class CeleryRunLauncher(launcher.CeleryRunLauncher):
    """Launch each run as a Celery task. The lock of the run shows if its process is alive (`run_locks`).

    A task waits in the queue that its run's tag names, or in Dagster's own; a worker takes from all of them, unless
    its option `-Q` names some.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.celery.conf.task_queues = [
            *self.celery.conf.task_queues,
            *(_queue(name) for name in QUEUES),
        ]

    def terminate(self, run_id: str) -> bool:
        """End a run. It is marked as canceling first, or it would count as failed and be retried."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished or DAGSTER_CELERY_TASK_ID_TAG not in run.tags:
            return False
        self._instance.report_run_canceling(run)
        return bool(super().terminate(run_id))

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Report a dead worker only if its task has failed.

        A task that the broker does not know proves nothing: the run may have been launched without Celery.
        """
        if DAGSTER_CELERY_TASK_ID_TAG in run.tags:
            health = super().check_run_worker_health(run)
            if health.status is WorkerStatus.FAILED:
                return health
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def _queue(name: str) -> Queue:
    return Queue(name, routing_key=f"{name}.#", queue_arguments={"x-max-priority": 10})  # type: ignore[no-untyped-call]
