"""One Dagster run of a job with a single op or asset, such as clean-up, in this process."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from zenith_core.errors import UserError
from zenith_pipelines.dagster_runtime.failures import failure_of
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.dagster_runtime.run_locks import hold_run_lock
from zenith_pipelines.patience import be_patient
from zenith_pipelines.settings import Settings

if TYPE_CHECKING:
    import dagster as dg


def job_names() -> dict[str, bool]:
    """Return the names of all jobs, each with True if a run of it is for one ticker."""
    from zenith_pipelines.definitions import defs

    jobs = [job for job in defs.resolve_all_job_defs() if not job.name.startswith("__")]
    return {job.name: job.partitions_def is not None for job in sorted(jobs, key=lambda job: job.name)}


def run_job(name: str, config: Mapping[str, object], ticker: str | None = None) -> dict[str, Any]:
    """Run the job with `config` for its one op; return `status`, `reason` and the recorded metadata.

    A failed run has the status "failed", a reason of one line and an `exit_code`. Raises UserError for a config that
    the job does not accept.
    """
    from dagster import DagsterInvalidConfigError

    from zenith_pipelines.definitions import definitions

    be_patient()
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
            reasons = "; ".join(" ".join(reason.message.split()) for reason in error.errors)
            raise UserError(f"--config: {name} does not accept that: {reasons}") from None
    if result.success:
        return {"status": "ok", "reason": None, **_recorded_metadata(result)}
    reason, exit_code = failure_of(result)
    return {"status": "failed", "reason": reason, "exit_code": exit_code}


def _run_config(job: "dg.JobDefinition", config: Mapping[str, object]) -> dict[str, Any]:
    op = job.nodes[0]
    schema = op.definition.config_schema if len(job.nodes) == 1 else None  # jobs of several assets take no config
    options = getattr(schema.config_type, "fields", {}) if schema else {}
    if unknown := set(config) - set(options):
        raise UserError(f"--config: {job.name} takes {', '.join(sorted(options)) or 'nothing'}, not {min(unknown)}")
    ops = {op.name: {"config": dict(config)}} if config else {}
    return {"ops": ops, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def _recorded_metadata(result: "dg.ExecuteInProcessResult") -> dict[str, Any]:
    """Return the metadata of all op outputs and materializations, without pictures."""
    outputs = [event for event in result.all_events if event.event_type_value == "STEP_OUTPUT"]
    records = [event.step_output_data.metadata for event in outputs]
    records += [event.materialization.metadata for event in result.get_asset_materialization_events()]
    values = {key: value.value for metadata in records for key, value in metadata.items()}
    return {
        key: value
        for key, value in values.items()
        if not key.startswith("dagster/") and not str(value).startswith("![")
    }
