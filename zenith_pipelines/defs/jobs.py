"""Jobs that people, schedules and sensors launch by name: selections of assets, and jobs of one op.

Out of scope: anything that makes data or models of a ticker, which are assets, and the decision which
versions to delete, which is in `zenith_pipelines.registry.retention`.
"""

import dagster as dg

from zenith_core.asset_selection import DRAW_REPORT, REFRESH, REFRESH_ASSETS, RETRAIN
from zenith_core.job_options import CleanUpOptions, RetrainingOptions
from zenith_core.names import BOOK_BACKTEST, QUEUE, TRIALS, UNIVERSE, UNIVERSE_LEDGER
from zenith_pipelines.dagster_runtime.run_retention import oldest_kept_run, purge_runs
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.defs.run_requests import check_model_type
from zenith_pipelines.ingestion.fetch import fold_prices
from zenith_pipelines.production.cache_invalidation import clear_predictions
from zenith_pipelines.registry.retention import RetentionRules, clean_up, cleanup_table
from zenith_pipelines.tickers import removed_tickers, select_tickers

TRAINING_QUEUE = {QUEUE: "ml_training"}
"""The tag of runs of one ticker. Celery's workers take runs by it, and dagster.yaml may limit them."""

MAINTENANCE_QUEUE = {QUEUE: "maintenance", "dagster/priority": "1"}
"""The tag of short runs over all tickers; they do not wait behind trainings."""

retrain_model = dg.define_asset_job(
    RETRAIN,
    selection=dg.AssetSelection.all()
    - dg.AssetSelection.assets(
        "production_evaluation", "scale_model", UNIVERSE, UNIVERSE_LEDGER, BOOK_BACKTEST, TRIALS
    ),
    tags=TRAINING_QUEUE,
    description="Everything for one ticker: prices, features, models, backtests, report, promotion, snapshot.",
)

refresh_prices = dg.define_asset_job(
    REFRESH,
    selection=dg.AssetSelection.assets(*REFRESH_ASSETS),
    tags=TRAINING_QUEUE,
    description="New prices, features and snapshot for one ticker; matured forecasts are scored. No training.",
)

draw_report = dg.define_asset_job(
    DRAW_REPORT,
    selection=dg.AssetSelection.assets("backtest_report"),
    tags=TRAINING_QUEUE,
    description="Draw the report of one ticker from its last training, which a batch does only after a promotion.",
)

evaluate_model = dg.define_asset_job(
    "evaluate_model",
    selection=dg.AssetSelection.assets("production_evaluation"),
    tags=TRAINING_QUEUE,
    description="Score the Production models on the sessions after their training.",
)


learn_scale = dg.define_asset_job(
    "learn_scale",
    selection=dg.AssetSelection.assets("scale_model"),
    tags=MAINTENANCE_QUEUE,
    description="Learn the scale of price moves from all tickers, and promote it if it passes its gates.",
)


forecast_universe = dg.define_asset_job(
    "forecast_universe",
    selection=dg.AssetSelection.assets(UNIVERSE, UNIVERSE_LEDGER),
    tags=MAINTENANCE_QUEUE,
    description="Forecast all tickers together, for books and ranks. No training.",
)


backtest_books = dg.define_asset_job(
    "backtest_books",
    selection=dg.AssetSelection.assets(BOOK_BACKTEST, TRIALS),
    tags=MAINTENANCE_QUEUE,
    description="Backtest simple books of all tickers, and deflate all backtests by the trials of all tickers.",
)


class RetrainConfig(dg.Config, RetrainingOptions):
    """The tickers and models to retrain."""


@dg.op
def tickers_to_retrain(context: dg.OpExecutionContext, config: RetrainConfig, zenith: ZenithResource) -> None:
    """Check that each ticker exists and can be retrained, before any run is launched."""
    tickers = select_tickers(context.instance, config.tickers)
    for ticker in tickers:
        check_model_type(zenith.store, ticker, config.model_type)
    context.add_output_metadata({"tickers": tickers, "runs": len(tickers)})


@dg.job(tags=MAINTENANCE_QUEUE)
def retrain_all_models() -> None:
    """Retrain some tickers, or all: one run of retrain_model for each, launched by the sensor requested_retraining.

    A run is one ticker in one process, and a run has no public way to launch others; the sensor's requests go through
    the queue of the instance and its limits (docs/decisions/0020).
    """
    tickers_to_retrain()


class CleanUpConfig(dg.Config, CleanUpOptions):
    """Versions to keep of each model, besides those that an alias names."""


@dg.op(out=dg.Out(dg.Nothing))
def clean_model_registry(
    context: dg.OpExecutionContext, config: CleanUpConfig, zenith: ZenithResource
) -> dg.Output[None]:
    """Delete old versions, models of removed tickers, leftovers of failed registrations, and old runs."""
    report = clean_up(zenith.registry, RetentionRules(**config.model_dump()), removed_tickers(context.instance))
    runs = purge_runs(context.instance, oldest_kept_run(zenith.settings), dry_run=config.dry_run)
    folded_snapshots = 0 if config.dry_run else fold_prices(zenith.store)
    return dg.Output(
        None,
        metadata={
            "bytes_freed": report["bytes_freed"] + runs["bytes"],
            "runs_deleted": runs["runs"],
            "versions_deleted": sum(len(model["deleted"]) for model in report["models"].values()),
            "leftovers": len(report["leftovers"]),
            "price_snapshots_folded": folded_snapshots,
            "dry_run": report["dry_run"],
            "report": dg.MetadataValue.md(cleanup_table(report)),
        },
    )


@dg.job(tags=MAINTENANCE_QUEUE)
def cleanup_old_models() -> None:
    """Delete old runs, leftovers, and versions that are neither new, best, in use nor needed for a rollback."""
    clean_model_registry()


@dg.op
def forget_predictions(context: dg.OpExecutionContext, zenith: ZenithResource) -> None:
    """Start a new generation of cached answers."""
    context.add_output_metadata({"generation": clear_predictions(zenith.settings)})


@dg.job(tags=MAINTENANCE_QUEUE)
def clear_prediction_cache() -> None:
    """Make all serving processes forget their cached answers, within two seconds."""
    forget_predictions()
