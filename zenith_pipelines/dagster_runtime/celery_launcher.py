"""Dagster's Celery run launcher, but for whom it believes. deploy/celery/dagster.yaml names this class."""

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery import launcher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG


class CeleryRunLauncher(launcher.CeleryRunLauncher):
    """Launch each run as a Celery task. Its lock says if the process lives (`dagster_runtime.dead_runs`)."""

    def terminate(self, run_id: str) -> bool:
        """End a run. It is said first that somebody wants it: else it counts as failed, and is started again."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished or DAGSTER_CELERY_TASK_ID_TAG not in run.tags:
            return False
        self._instance.report_run_canceling(run)
        return bool(super().terminate(run_id))

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """A task that failed tells of a dead worker; a broker that knows of none tells nothing, least of all of runs
        that were not launched through it.
        """
        if DAGSTER_CELERY_TASK_ID_TAG in run.tags:
            health = super().check_run_worker_health(run)
            if health.status is WorkerStatus.FAILED:
                return health
        return CheckRunHealthResult(WorkerStatus.RUNNING)
