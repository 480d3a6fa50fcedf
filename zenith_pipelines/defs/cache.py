"""Upkeep of what serving remembers. What does not belong here: models and their clean-up."""

import dagster as dg

from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.production.cache_invalidation import clear_predictions


@dg.op
def forget_predictions(context: dg.OpExecutionContext, zenith: ZenithResource) -> None:
    """Begin a new generation of cached answers."""
    context.add_output_metadata({"generation": clear_predictions(zenith.settings)})


@dg.job
def clear_prediction_cache() -> None:
    """Make all serving processes forget their cached answers, within two seconds."""
    forget_predictions()
