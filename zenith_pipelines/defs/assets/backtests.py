"""Backtests of the walk-forward output, never of in-sample rows, and the report."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from zenith_core.backtesting.backtest import BacktestConfig, backtest, forecast_signals
from zenith_core.errors import CorruptData, NotAvailable
from zenith_core.evaluation.past_bands import in_past_bands
from zenith_core.market.exchanges import exchange_of
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.declaration import ModelKind
from zenith_core.model_kinds.options import horizon_of
from zenith_core.model_kinds.table import KINDS, MODEL_KINDS
from zenith_core.model_kinds.tasks import Task
from zenith_core.names import ALL_TICKERS, HEADLINE_HORIZON, TRIALS, UNIVERSE, UNIVERSE_LEDGER
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.datasets.atomic_files import write_atomically
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.defs.code_versions import code_version
from zenith_pipelines.defs.metadata import OWNERS, equity_plot, fan_plot, materialized, verdicts_list
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.production.chart_data import (
    SESSIONS,
    Columns,
    equity_curve,
    last_trades,
    past_forecasts,
    past_signals,
)
from zenith_pipelines.production.evidence import Claims
from zenith_pipelines.registry.trials import assess_backtest
from zenith_pipelines.reports.report_data import gather_report_data, log_report
from zenith_pipelines.reports.report_file import render_file
from zenith_pipelines.reports.verdicts import worded_verdicts
from zenith_pipelines.risk.scale_prior import priors


class TradingConfig(dg.Config):
    """Options of the trading; each other combination counts as another trial."""

    commission: float | None = Field(
        default=None, description="Share of the value, per side. By default that of the ticker's market: 0.001, or 0."
    )
    slippage: float | None = Field(
        default=None,
        description="Share of the price lost, per side. By default that of the ticker's market: 0.0005, or 0.0001.",
    )
    allow_short: bool = Field(default=False, description="Sell short on `sell`, instead of going to cash.")
    target_volatility: float | None = Field(
        default=None, description="Yearly, as a fraction; sizes each position at its entry. The whole capital if empty."
    )

    holding_period: int | None = Field(
        default=HEADLINE_HORIZON,
        description="Sessions until a position ends whose signal is not renewed; never if empty.",
    )

    def of(self, ticker: str) -> BacktestConfig:
        """Return the checked options, for the market of the ticker. Raises UserError."""
        market, options = exchange_of(ticker), self.model_dump()
        for cost in ("commission", "slippage"):
            if options[cost] is None:
                options[cost] = getattr(market, cost)
        return BacktestConfig(**options, sessions_per_year=market.sessions_per_year)


BACKTESTS = ("zenith_core/backtesting", "zenith_core/statistics")
"""The code that trades signals on paper."""


def _price_signals(model: Dataset, trading: BacktestConfig) -> pd.Series:
    return forecast_signals(model.table, horizon_of(model.facts), threshold=trading.round_trip_cost)


def _own_signals(model: Dataset, trading: BacktestConfig) -> pd.Series:
    return model.table.set_index("date")["signal"]


_SIGNALS: Mapping[Task, Callable[[Dataset, BacktestConfig], pd.Series]] = {
    "price": _price_signals,
    "signal": _own_signals,
}


def backtest_asset(kind: ModelKind) -> dg.AssetsDefinition:
    """Make the asset `<kind>_backtest`."""

    @dg.asset(
        name=f"{kind.name}_backtest",
        description=f"Trades on the {kind.noun}'s walk-forward {'forecasts' if kind.task == 'price' else 'signals'}, "
        "filled at the next open with costs, beside buy-and-hold.",
        partitions_def=ticker_partitions,
        group_name="backtests",
        owners=OWNERS,
        kinds={"parquet", "mlflow"},
        code_version=code_version(*BACKTESTS),
        ins={"model": dg.AssetIn(f"{kind.name}_model")},
    )
    def trade(
        config: TradingConfig, zenith: ZenithResource, cleaned_prices: Dataset, model: Dataset
    ) -> dg.MaterializeResult[Dataset]:
        trading = config.of(model.facts["ticker"])
        signals = _SIGNALS[kind.task](model, trading)
        charts = {"signals": past_signals(signals)}
        if kind.task == "price":
            horizon = horizon_of(model.facts)
            newest = model.table[model.table["horizon"] == horizon].iloc[-SESSIONS - horizon :]
            past = in_past_bands(newest, cleaned_prices.tables["prices"], priors())
            charts["forecasts"] = past_forecasts(past, horizon)
        return _backtest(zenith, trading, cleaned_prices, signals, model, charts)

    return trade


backtest_assets = [backtest_asset(kind) for kind in MODEL_KINDS.values()]


@dg.asset(
    partitions_def=ticker_partitions,
    group_name="backtests",
    owners=OWNERS,
    kinds={"html", "mlflow"},
    code_version=code_version("zenith_core/report", "zenith_pipelines/reports"),
    ins={f"{kind}_{part}": dg.AssetIn() for kind in KINDS for part in ("model", "backtest")},
    deps=["leaderboard", "forecast_ledger"],  # the verdicts ask for the evidence that the ledger publishes
)
def backtest_report(
    context: dg.AssetExecutionContext,
    zenith: ZenithResource,
    cleaned_prices: Dataset,
    indicator_features: Dataset,
    serving_snapshot: Dataset,
    **evidence: Dataset,
) -> dg.MaterializeResult[Dataset]:
    """The service's page of the report as one HTML file with the evidence of this training. It opens without a network.

    It is also logged to the MLflow run of each model version, as report.html. A batch makes it only after a promotion;
    the job `draw_report` makes it at any time.
    """
    snapshot = ServingSnapshot.from_json(dict(serving_snapshot.facts))
    datasets = {
        **evidence,
        "indicator_features": indicator_features,
        "serving_snapshot": serving_snapshot,
        **{name: _of_all_tickers(zenith, name) for name in (TRIALS, UNIVERSE, UNIVERSE_LEDGER)},
    }
    report = gather_report_data(snapshot, zenith.registry, Claims(zenith.store), datasets)
    page = render_file(report.report.model_dump(mode="json"), report.chart).encode()
    path = zenith.settings.reports / f"{context.partition_key}.html"
    write_atomically(path, page)
    models = {kind: evidence[f"{kind}_model"] for kind in KINDS}
    log_report(zenith.registry, models, page, zenith.settings.zenith_page_url)
    metadata = verdicts_list(worded_verdicts(report.report))
    if zenith.draws_plots:
        price = models[ANSWERS.of(context.partition_key)["price"]]
        metadata = fan_plot(cleaned_prices.tables["prices"], price, snapshot, report.forecast) | metadata
    return materialized(
        value=Dataset(facts={"path": str(path.relative_to(zenith.settings.home))}),
        metadata={"report": dg.MetadataValue.path(path), **metadata},
    )


def _of_all_tickers(zenith: ZenithResource, name: str) -> Dataset:
    """Return the facts of a dataset of all tickers; none if there are none that can be read."""
    with suppress(NotAvailable, CorruptData):
        return Dataset(facts=zenith.store.facts(name, ALL_TICKERS))
    return Dataset()


def _backtest(
    zenith: ZenithResource,
    trading: BacktestConfig,
    cleaned: Dataset,
    signals: pd.Series,
    model: Dataset,
    charts: Mapping[str, Columns],
) -> dg.MaterializeResult[Dataset]:
    result = backtest(cleaned.tables["prices"], signals, trading)
    result, trial = assess_backtest(result, trading, model.facts, zenith.registry)
    figures = {f"{account}/{key}": value for account, stats in result.stats.items() for key, value in stats.items()}
    facts = {"stats": result.stats, "config": asdict(trading), "model_version": model.facts["version"]}
    facts |= {"equity": equity_curve(result.equity), "trades": last_trades(result.trades), "trial": trial, **charts}
    plot: dict[str, Any] = {}
    if zenith.draws_plots:
        plot = equity_plot(result, f"{model.facts['model']} version {model.facts['version']}")
    return materialized(
        value=Dataset({"equity": result.equity, "trades": result.trades}, facts),
        metadata={key: value for key, value in figures.items() if value is not None} | plot,
    )
