"""The reaper of dead runs. What does not belong here: runs that live too long, which Dagster's own monitoring ends."""

import dagster as dg

from zenith_pipelines.dagster_runtime.dead_runs import fail_dead_runs
from zenith_pipelines.defs.standing import always_on_sensor
from zenith_pipelines.settings import Settings


@always_on_sensor(seconds=5, name="orphan_reaper")
def dead_run_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Marks runs as failed whose process died without a word, and frees their slots of pools."""
    buried = fail_dead_runs(Settings())
    return dg.SkipReason(f"failed, since their process is gone: {', '.join(buried)}" if buried else "no run is dead")
