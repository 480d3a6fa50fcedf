"""The reaper of dead runs. What does not belong here: runs that live too long, which Dagster's own monitoring ends."""

import dagster as dg

from zenith_pipelines.dagster_runtime.dead_runs import bury_orphans
from zenith_pipelines.defs.standing import standing_sensor
from zenith_pipelines.settings import Settings


@standing_sensor(seconds=5)
def orphan_reaper(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Marks runs as failed whose process died without a word, and frees their slots of pools."""
    buried = bury_orphans(Settings())
    return dg.SkipReason(f"failed, since their process is gone: {', '.join(buried)}" if buried else "no run is dead")
