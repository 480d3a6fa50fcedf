"""The code location. Loading it reads no environment, opens nothing and imports no learning library."""

import dagster as dg

from zenith_pipelines.defs import backtests, checks, evaluation, features, jobs, models, prices, production, upkeep
from zenith_pipelines.defs.resources import resources
from zenith_pipelines.progress import Progress


def definitions(progress: Progress) -> dg.Definitions:
    """The code location, with `progress` told of long stages."""
    return dg.Definitions(
        assets=dg.load_assets_from_modules([prices, features, models, backtests, production, evaluation]),
        asset_checks=dg.load_asset_checks_from_modules([checks]),
        jobs=[jobs.retrain_model, upkeep.cleanup_old_models, evaluation.evaluate_model],
        resources=resources(progress),
        executor=dg.in_process_executor,
    )


defs = definitions(Progress())
