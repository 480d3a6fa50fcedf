"""The code location. Loading it reads the settings, opens nothing and imports no learning library."""

import dagster as dg

from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.defs import alert_sensors, cache, checks, jobs, reaper, retraining, schedules, sensors, upkeep
from zenith_pipelines.defs.assets import backtests, evaluation, features, models, prices, production
from zenith_pipelines.defs.resources import resources
from zenith_pipelines.settings import Settings


def definitions(progress: Progress) -> dg.Definitions:
    """The code location, with `progress` told of long stages. Raises UserError for settings that cannot be."""
    return dg.Definitions(
        assets=dg.load_assets_from_modules([prices, features, models, backtests, production, evaluation]),
        asset_checks=dg.load_asset_checks_from_modules([checks]),
        jobs=[
            jobs.retrain_model,
            jobs.refresh_prices,
            retraining.retrain_all_models,
            cache.clear_prediction_cache,
            evaluation.evaluate_model,
            upkeep.cleanup_old_models,
        ],
        schedules=schedules.make_schedules(Settings()),
        sensors=[
            reaper.dead_run_sensor,
            sensors.tickers_in_step,
            sensors.refresh_after_close,
            retraining.requested_retraining,
            alert_sensors.retraining_on_drift,
            alert_sensors.stale_prices,
            alert_sensors.failed_runs,
        ],
        resources=resources(progress),
        executor=dg.in_process_executor,
    )


defs = definitions(Progress())
