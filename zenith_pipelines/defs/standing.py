"""How sensors of this code location are: on from the start, and described in the UI by their docstrings."""

from collections.abc import Callable
from inspect import getdoc
from typing import Any

import dagster as dg


def always_on_sensor(
    seconds: int, *, job: Any = None, name: str | None = None
) -> Callable[[Callable[..., Any]], dg.SensorDefinition]:
    """Make a sensor that is on from the start and runs every `seconds`; `job` is the job it launches."""

    def decorated(function: Callable[..., Any]) -> dg.SensorDefinition:
        return dg.sensor(
            name=name,
            job=job,
            minimum_interval_seconds=seconds,
            default_status=dg.DefaultSensorStatus.RUNNING,
            description=getdoc(function),
        )(function)

    return decorated
