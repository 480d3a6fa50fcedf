"""The Dagster code location. Loading it reads the settings, opens nothing and imports no learning library."""

import dagster as dg
from dagster._utils.warnings import disable_dagster_warnings

from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.defs import alert_sensors, batches, checks, digest_sensors, jobs, schedules, sensors
from zenith_pipelines.defs.assets import backtests, features, models, prices, production, scale, universe
from zenith_pipelines.defs.resources import resources
from zenith_pipelines.settings import Settings


def definitions(progress: Progress) -> dg.Definitions:
    """Return the code location; long stages report to `progress`. Raises UserError for invalid settings."""

    def job_by_name(name: str) -> dg.JobDefinition:
        return location.resolve_job_def(name)

    location = dg.Definitions(
        assets=dg.load_assets_from_modules([prices, features, models, backtests, production, scale, universe]),
        asset_checks=dg.load_asset_checks_from_modules([checks]),
        jobs=[
            jobs.retrain_model,
            jobs.refresh_prices,
            batches.retrain_batch,
            batches.refresh_batch,
            jobs.retrain_all_models,
            jobs.learn_scale,
            jobs.forecast_universe,
            jobs.backtest_books,
            jobs.clear_prediction_cache,
            jobs.evaluate_model,
            jobs.draw_report,
            jobs.cleanup_old_models,
        ],
        schedules=schedules.make_schedules(Settings()),
        sensors=[
            sensors.dead_run_sensor,
            sensors.tickers_in_step,
            sensors.refresh_after_close,
            sensors.requested_retraining,
            sensors.universe_after_refresh,
            alert_sensors.retraining_on_drift,
            alert_sensors.stale_prices,
            alert_sensors.failed_runs,
            digest_sensors.promotions_and_rollbacks,
            digest_sensors.low_disk_space,
            digest_sensors.daily_digest,
        ],
        resources={**resources(progress), "job_by_name": job_by_name},
        executor=dg.in_process_executor,
    )
    with disable_dagster_warnings():  # a sensor of a job of ops is made once more, with an argument in beta
        location.get_repository_def()
    return location


defs = definitions(Progress())
