"""The worker of Dagster's Celery run launcher: each task is one whole run in a process of the worker.

    celery -A zenith_pipelines.dagster_runtime.celery_worker worker

The broker and its options are in dagster.yaml (`ZENITH_DAGSTER_CONFIG`), where the launcher reads them too.
"""

import os
from functools import cache
from typing import TYPE_CHECKING

from zenith_core.errors import UserError
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.dagster_runtime.prepare import prepare
from zenith_pipelines.settings import Settings

if TYPE_CHECKING:
    from celery import Celery


@cache
def worker_app() -> "Celery":
    """Return the Celery app of the instance's run launcher, with its tasks. Raises UserError for another launcher."""
    from dagster_celery.tasks import create_execute_job_task, create_resume_job_task

    from zenith_pipelines.dagster_runtime.celery_launcher import CeleryRunLauncher

    settings = Settings()
    os.environ["DAGSTER_HOME"] = str(prepare(settings))  # where tasks find the instance
    with open_instance(settings) as instance:
        launcher = instance.run_launcher
        if not isinstance(launcher, CeleryRunLauncher):
            raise UserError(
                "ZENITH_DAGSTER_CONFIG must name a file with Celery's run launcher, such as deploy/celery/dagster.yaml"
            )
        create_execute_job_task(launcher.celery)
        create_resume_job_task(launcher.celery)
        return launcher.celery


def __getattr__(name: str) -> "Celery":
    """Return `app` when `celery -A` asks for it; importing the module opens nothing."""
    if name != "app":
        raise AttributeError(name)
    return worker_app()
