"""What the walk-forward output would have earned, and the report that shows it. Never an in-sample row."""

from base64 import b64encode

import dagster as dg

from zenith_core.backtest import Backtest, BacktestConfig, backtest, forecast_signals
from zenith_core.metrics import HEADLINE_HORIZON
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.files import write_atomically
from zenith_pipelines.report.drawing import to_png
from zenith_pipelines.report.page import ReportInput, render_report, report_plots
from zenith_pipelines.reporting import report_input
from zenith_pipelines.store import Dataset


@dg.asset(partitions_def=ticker_partitions, group_name="backtests", kinds={"parquet"})
def lstm_backtest(cleaned_prices: Dataset, lstm_model: Dataset) -> dg.MaterializeResult[Dataset]:
    """Trades on the LSTM's walk-forward forecasts, filled at the next open with costs, beside buy-and-hold."""
    config = BacktestConfig()
    signals = forecast_signals(lstm_model.table, HEADLINE_HORIZON, threshold=config.round_trip_cost)
    return _result(backtest(cleaned_prices.tables["prices"], signals, config))


@dg.asset(partitions_def=ticker_partitions, group_name="backtests", kinds={"parquet"})
def ensemble_backtest(cleaned_prices: Dataset, ensemble_model: Dataset) -> dg.MaterializeResult[Dataset]:
    """Trades on the ensemble's walk-forward signals, filled at the next open with costs, beside buy-and-hold."""
    signals = ensemble_model.table.set_index("date")["signal"]
    return _result(backtest(cleaned_prices.tables["prices"], signals, BacktestConfig()))


@dg.asset(partitions_def=ticker_partitions, group_name="backtests", kinds={"html"})
def backtest_report(
    context: dg.AssetExecutionContext,
    zenith: ZenithResource,
    cleaned_prices: Dataset,
    lstm_model: Dataset,
    ensemble_model: Dataset,
    lstm_backtest: Dataset,
    ensemble_backtest: Dataset,
    serving_snapshot: Dataset,
) -> dg.MaterializeResult[Dataset]:
    """One HTML page with everything that speaks for or against the ticker's models; opens without a network."""
    snapshot = ServingSnapshot.from_json(dict(serving_snapshot.facts))
    onnx = zenith.registry.load(lstm_model.facts["model"], lstm_model.facts["version"])
    models = {"lstm": lstm_model, "ensemble": ensemble_model}
    backtests = {"lstm": lstm_backtest, "ensemble": ensemble_backtest}
    report = report_input(snapshot, onnx, cleaned_prices, models, backtests)
    path = zenith.settings.reports / f"{context.partition_key}.html"
    write_atomically(path, render_report(report).encode())
    return dg.MaterializeResult(
        value=Dataset(facts={"path": str(path)}), metadata={"report": dg.MetadataValue.path(path), **_plots(report)}
    )


def _plots(report: ReportInput) -> dict[str, dg.MetadataValue]:
    figures = report_plots(report)
    return {
        name: dg.MetadataValue.md(f"![{name}](data:image/png;base64,{b64encode(to_png(figures[name])).decode()})")
        for name in ("price_fan", "ensemble_equity")
    }


def _result(result: Backtest) -> dg.MaterializeResult[Dataset]:
    figures = {f"{who}/{key}": value for who, stats in result.stats.items() for key, value in stats.items()}
    return dg.MaterializeResult(
        value=Dataset({"equity": result.equity, "trades": result.trades}, {"stats": result.stats}),
        metadata={key: value for key, value in figures.items() if value is not None},
    )
