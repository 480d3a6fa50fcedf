"""From datasets to the report: what each asset holds, gathered for the page."""

import pandas as pd

from zenith_core.backtest import Backtest
from zenith_core.inference import forecast_prices
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.onnx_runtime import onnx_run
from zenith_pipelines.report.page import ReportInput
from zenith_pipelines.store import Dataset


def report_input(
    snapshot: ServingSnapshot,
    lstm_onnx: bytes,
    cleaned: Dataset,
    models: dict[str, Dataset],
    backtests: dict[str, Dataset],
) -> ReportInput:
    """Gather what the page shows of one ticker; `models` and `backtests` by kind, "lstm" and "ensemble"."""
    lstm, ensemble = models["lstm"], models["ensemble"]
    return ReportInput(
        ticker=snapshot.ticker,
        currency=snapshot.currency,
        prices=cleaned.tables["prices"],
        forecasts=lstm.table,
        signals=ensemble.table,
        price_metrics=lstm.facts["metrics"],
        signal_metrics=ensemble.facts["metrics"],
        lstm_backtest=_backtest(backtests["lstm"]),
        ensemble_backtest=_backtest(backtests["ensemble"]),
        latest=_latest(snapshot, lstm_onnx),
        lineage={
            "data version": snapshot.data_version,
            "data end": lstm.facts["data_end"],
            "feature spec": snapshot.feature_spec,
            "price model": f"{lstm.facts['model']} version {lstm.facts['version']}",
            "signal model": f"{ensemble.facts['model']} version {ensemble.facts['version']}",
            "libraries": ", ".join(f"{name} {text}" for name, text in lstm.facts["versions"].items()),
        },
    )


def _latest(snapshot: ServingSnapshot, onnx: bytes) -> pd.DataFrame:
    forecast = forecast_prices(onnx_run(onnx), snapshot)
    return pd.DataFrame(
        {
            "date": pd.DatetimeIndex(snapshot.next_sessions),
            "price": forecast.price,
            "lower": forecast.lower,
            "upper": forecast.upper,
        }
    )


def _backtest(dataset: Dataset) -> Backtest:
    return Backtest(dataset.tables["trades"], dataset.tables["equity"], dataset.facts["stats"])
