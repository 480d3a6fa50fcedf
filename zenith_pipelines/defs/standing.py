"""How sensors of this code location are: on from the start, and described in the UI by their docstrings."""

from collections.abc import Callable
from inspect import getdoc
from typing import Any

import dagster as dg


def standing_sensor(seconds: int, job: Any = None) -> Callable[[Callable[..., Any]], dg.SensorDefinition]:
    """`dg.sensor`, evaluated every so many seconds; `job` is what it launches."""

    def decorated(function: Callable[..., Any]) -> dg.SensorDefinition:
        return dg.sensor(
            job=job,
            minimum_interval_seconds=seconds,
            default_status=dg.DefaultSensorStatus.RUNNING,
            description=getdoc(function),
        )(function)

    return decorated
