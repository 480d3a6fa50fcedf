"""A job that is not about one ticker's assets (clearing, clean-up), as one run in this process."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from zenith_core.errors import UserError
from zenith_pipelines.dagster_runtime.dead_runs import hold_run_lock
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.execution.ticker_run import failure_of
from zenith_pipelines.settings import Settings

if TYPE_CHECKING:
    import dagster as dg


def job_names() -> dict[str, bool]:
    """All jobs by name, and whether a run of one is for one ticker."""
    from zenith_pipelines.definitions import defs

    jobs = [job for job in defs.resolve_all_job_defs() if not job.name.startswith("__")]
    return {job.name: job.partitions_def is not None for job in sorted(jobs, key=lambda job: job.name)}


def run_job(name: str, config: Mapping[str, object], ticker: str | None = None) -> dict[str, Any]:
    """Run the job, with `config` for its one op, and describe the outcome: `status`, `reason`, and what it says it did.

    Raises UserError for a config that the job does not take. A run that fails has the status "failed", a reason of one
    line and an `exit_code`.
    """
    from dagster import DagsterInvalidConfigError

    from zenith_pipelines.definitions import definitions

    settings, run_id = Settings(), str(uuid4())
    job = definitions(Progress()).resolve_job_def(name)
    with hold_run_lock(settings, run_id), open_instance(settings) as instance:
        try:
            result = job.execute_in_process(
                instance=instance,
                run_id=run_id,
                partition_key=ticker,
                run_config=_run_config(job, config),
                raise_on_error=False,
            )
        except DagsterInvalidConfigError as error:
            reasons = "; ".join(" ".join(found.message.split()) for found in error.errors)
            raise UserError(f"--config: {name} does not take that: {reasons}") from None
    if result.success:
        return {"status": "ok", "reason": None, **_said(result)}
    reason, exit_code = failure_of(result)
    return {"status": "failed", "reason": reason, "exit_code": exit_code}


def _run_config(job: "dg.JobDefinition", config: Mapping[str, object]) -> dict[str, Any]:
    (op,) = job.nodes
    schema = op.definition.config_schema
    takes = getattr(schema.config_type, "fields", {}) if schema else {}
    if unknown := set(config) - set(takes):
        raise UserError(f"--config: {job.name} takes {', '.join(sorted(takes)) or 'nothing'}, not {min(unknown)}")
    ops = {op.name: {"config": dict(config)}} if config else {}
    return {"ops": ops, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def _said(result: "dg.ExecuteInProcessResult") -> dict[str, Any]:
    """What the ops recorded of their output, and the assets of themselves."""
    outputs = [event.step_output_data for event in result.all_events if event.event_type_value == "STEP_OUTPUT"]
    made = [event.materialization for event in result.get_asset_materialization_events()]
    recorded = [output.metadata for output in outputs] + [each.metadata for each in made]
    said = {key: value.value for each in recorded for key, value in each.items()}
    return {key: value for key, value in said.items() if not key.startswith("dagster/")}
