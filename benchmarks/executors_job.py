"""Job of benchmarks/executors.py on Celery and on Dask: four empty steps in a row, the third may sleep."""

import time

import dagster as dg
from dagster_celery import celery_executor
from dagster_dask import dask_executor


class Work(dg.Config):
    """Ticker of the run, and the seconds that the third step sleeps."""

    ticker: str
    seconds: float = 0.0


@dg.op(out=dg.Out(io_manager_key="io_manager"))
def first(context: dg.OpExecutionContext, config: Work) -> str:
    """Record the ticker of the run."""
    context.add_output_metadata({"ticker": config.ticker})
    return config.ticker


def step(name: str) -> dg.OpDefinition:
    """Return an op that passes its input on."""

    @dg.op(name=name)
    def pass_on(config: Work, ticker: str) -> str:
        if name == "third":
            time.sleep(config.seconds)
        return ticker

    return pass_on


@dg.graph
def four_steps():
    """Four steps in a row."""
    step("fourth")(step("third")(step("second")(first())))


def in_one_process():
    """All steps in the run's process."""
    return four_steps.to_job(name="in_one_process", executor_def=dg.in_process_executor)


def on_celery():
    """Each step a task of Celery."""
    return four_steps.to_job(name="on_celery", executor_def=celery_executor)


def on_dask():
    """Each step a task of Dask."""
    return four_steps.to_job(name="on_dask", executor_def=dask_executor)
