"""Jobs: selections of assets that people and schedules run by name."""

import dagster as dg

retrain_model = dg.define_asset_job(
    "retrain_model",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets("production_evaluation"),
    description="Everything for one ticker: prices, features, both models, backtests, report, promotion, snapshot.",
)
