"""Jobs: selections of assets that people and schedules run by name."""

import dagster as dg

from zenith_core.asset_selection import REFRESH, REFRESH_ASSETS, RETRAIN

retrain_model = dg.define_asset_job(
    RETRAIN,
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets("production_evaluation"),
    description="Everything for one ticker: prices, features, both models, backtests, report, promotion, snapshot.",
)

refresh_prices = dg.define_asset_job(
    REFRESH,
    selection=dg.AssetSelection.assets(*REFRESH_ASSETS),
    description="New prices for one ticker, what serving needs of them, and matured forecasts scored. Trains nothing.",
)
