"""The reaper of dead runs. What does not belong here: runs that live too long, which Dagster's own monitoring ends."""

import dagster as dg

from zenith_pipelines.orphans import bury_orphans
from zenith_pipelines.settings import Settings


@dg.sensor(minimum_interval_seconds=5, default_status=dg.DefaultSensorStatus.RUNNING)
def orphan_reaper(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Marks runs as failed whose process died without a word, and frees their slots of pools."""
    buried = bury_orphans(Settings())
    return dg.SkipReason(f"failed, since their process is gone: {', '.join(buried)}" if buried else "no run is dead")
