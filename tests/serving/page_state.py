"""The pipelines' files for the page, made from a random walk by the pipelines' own functions."""

import json

import numpy as np
import pandas as pd

from tests.pipelines.reports.sample_report import make_sample
from tests.published import publish
from zenith_pipelines.production.chart_data import (
    candles,
    equity_curve,
    last_trades,
    overlays,
    past_forecasts,
    past_signals,
)

SESSIONS = 300
HELD = {"total_return": 0.6, "annual_return": 0.2, "volatility": 0.3, "max_drawdown": -0.4, "sharpe": 0.71, "trades": 0}
STATS = {"strategy": {**HELD, "sharpe": 0.38, "trades": 19}, "buy_and_hold": {**HELD, "sortino": None}}
COSTS = {"commission": 0.001, "slippage": 0.0005, "allow_short": False, "holding_period": 5}


def walk():
    """Prices by session up to 2013-03-01, whose last close is 100."""
    days = pd.bdate_range(end="2013-03-01", periods=SESSIONS, name="date")
    close = np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.012, SESSIONS)))
    close *= 100 / close[-1]
    table = {"open": close * 0.996, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": 1e6}
    return pd.DataFrame(table, index=days)


def indicators(close):
    """Return the indicators of the chart by session, simple ones."""
    means = {f"sma_{window}": close.rolling(window).mean() for window in (50, 200)}
    return pd.DataFrame({**means, "bb_lower": close * 0.95, "bb_upper": close * 1.05, "rsi_14": 50.0})


def signals(close):
    """Return a buy and a sell near the end among abstentions."""
    given = pd.Series("hold", index=close.index)
    given.iloc[[-40, -12]] = ["buy", "sell"]
    return given


def forecasts(close):
    """Forecast no change five sessions ahead, within 5 %; some actual prices are further away."""
    origins = close.iloc[:-5]
    table = {"origin": origins.index, "horizon": 5, "target_date": close.index[5:], "close": origins.to_numpy()}
    bands = {"forecast": origins.to_numpy(), "lower": 0.95 * origins.to_numpy(), "upper": 1.05 * origins.to_numpy()}
    return pd.DataFrame({**table, **bands, "actual": close.to_numpy()[5:]})


def write_facts(home, asset, ticker, facts):
    """Replace the facts as `zenith_pipelines.datasets.store` does."""
    publish(home, asset, ticker, facts)


def read_facts(home, asset, ticker):
    return json.loads((home / "data" / asset / ticker / "current.json").read_text())["facts"]


def write_charts(home, ticker):
    """Candles beside the serving snapshot that is there, its indicators, and both backtests."""
    prices = walk()
    snapshot = read_facts(home, "serving_snapshot", ticker)
    write_facts(home, "serving_snapshot", ticker, {**snapshot, "candles": candles(prices)})
    features = {"data_version": snapshot["data_version"], "chart": overlays(indicators(prices["close"]))}
    write_facts(home, "indicator_features", ticker, features)
    account = pd.DataFrame({"date": prices.index, "strategy": np.linspace(1e5, 1.2e5, SESSIONS)})
    account["buy_and_hold"] = 1e5 * (prices["close"] / prices["close"].iloc[0]).to_numpy()
    facts = {"stats": STATS, "config": COSTS, "model_version": 1, "equity": equity_curve(account)}
    write_facts(home, "ensemble_backtest", ticker, {**facts, "signals": past_signals(signals(prices["close"]))})
    write_facts(home, "lstm_backtest", ticker, {**facts, "forecasts": past_forecasts(forecasts(prices["close"]), 5)})


def write_evidence(home, ticker):
    """Models, statistics and a certificate as of the sample report; `write_charts` comes first."""
    report = make_sample()
    versions = {"model": f"lstm-{ticker}", "version": 1, "data_end": "2013-03-01", "versions": {"zenith": "0.2.0"}}
    for kind, metrics, study in (
        ("lstm", report.price_metrics, report.price_study),
        ("ensemble", report.signal_metrics, report.signal_study),
    ):
        write_facts(home, f"{kind}_model", ticker, {**versions, "kind": kind, "metrics": metrics, "study": study})
        facts, sample = read_facts(home, f"{kind}_backtest", ticker), report.backtests[kind].stats
        stats = {account: {**figures, **facts["stats"][account]} for account, figures in sample.items()}
        write_facts(
            home,
            f"{kind}_backtest",
            ticker,
            {**facts, "stats": stats, "trades": last_trades(report.backtests[kind].trades)},
        )
    features = read_facts(home, "indicator_features", ticker)
    write_facts(home, "indicator_features", ticker, {**features, "leakage": report.leakage})
    snapshot = read_facts(home, "serving_snapshot", ticker)
    write_facts(home, "serving_snapshot", ticker, {**snapshot, "risk_record": report.risk_record})
