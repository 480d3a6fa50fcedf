"""The evidence of a report on synthetic prices, forecasts and signals, and the facts that the pipelines keep of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.backtesting.backtest import Backtest, BacktestConfig, backtest, forecast_signals
from zenith_core.evaluation.metrics import price_metrics, signal_metrics
from zenith_core.statistics.sharpe import sharpe_evidence
from zenith_pipelines.production.chart_data import candles, equity_curve, last_trades

SESSIONS = 400
HORIZONS = (1, 5)
FOLD = {
    "train": ["2001-05-22", "2007-03-16"],
    "validation": ["2007-05-01", "2008-05-05"],
    "test": ["2008-06-18", "2009-08-19"],
    "train_rows": 1461,
}
SERVED = {**FOLD, "test": [], "train_rows": 2645}
PRICE_STUDY = {
    "folds": [{**FOLD, "shrinkage": {"linear": [0.0] * 30, "network": [0.406] * 5 + [0.0] * 25}}],
    "final": {**SERVED, "shrinkage": {"linear": [0.858] * 4 + [0.83] * 26, "network": [0.5, 0.4, 0.3, 0.2, 0.1]}},
}
CALIBRATION = {"rows": 1782, "slope": 0.356, "intercepts": [-1.2, -0.9, -1.1], "direction_p": 0.3, "proven": False}
SIGNAL_STUDY = {
    "folds": [{**FOLD, "calibration": CALIBRATION}],
    "final": {**SERVED, "calibration": {**CALIBRATION, "direction_p": 0.004, "proven": True}},
    "importances": {f"feature_{number:02d}": number / 190 for number in range(20)},
}
CERTIFICATE = {
    "passed": True,
    "feature_spec": "f8b6",
    "data_version": "abc123",
    "sessions": 400,
    "warm_up": 250,
    "prefixes": {"tested": ["until a", "until b"], "values": 1000, "tolerance": 1e-9, "largest_difference": 0.0},
    "late_starts": {"tested": ["from c"], "values": 500, "tolerance": 1e-3, "largest_difference": 5.5e-6},
    "offending_columns": [],
    "offending": [],
}


TAIL = {"tail": 0.05, "rows": 999, "hits": 52, "hit_rate": 52 / 999, "kupiec_p": 0.77, "independence_p": None}
TAIL |= {"fz0": -2.512, "fz0_ewma": -2.488, "fz0_gain": 0.024}
VOLATILITY = {"rows": 999, "qlike": 1.31, "qlike_ewma": 1.38, "qlike_skill": 1 - 1.31 / 1.38}
BAND = {"rows": 999, "coverage": 0.897, "pinball": 0.0061, "pinball_ewma": 0.0062, "skill": 0.016, "p_value": 0.03}
PEERS = {"rows": 200, "pinball": 0.0061, "pinball_garch": 0.0062, "pinball_gjr": 0.0060}
TOUCH = {"pct": -3, "rows": 999, "rate": 0.21, "brier": 0.1412, "brier_frequency": 0.1633, "skill": 0.135}
RISK_RECORD = {
    "since": "2016-03-01",
    "until": "2020-02-28",
    "horizons": {"1": {"volatility": VOLATILITY, "tails": [TAIL], "band": BAND, "peers": PEERS, "touch": [TOUCH]}},
}


@dataclass(frozen=True)
class Sample:
    """Evidence of an LSTM and an ensemble."""

    prices: pd.DataFrame
    forecasts: pd.DataFrame
    signals: pd.DataFrame
    price_metrics: Mapping[str, Any]
    signal_metrics: Mapping[str, Any]
    backtests: Mapping[str, Backtest]
    price_study: Mapping[str, Any]
    signal_study: Mapping[str, Any]
    leakage: Mapping[str, Any]
    risk_record: Mapping[str, Any]


def make_forecasts(prices, foresight=0.0):
    """Return forecasts of the last 150 sessions: no change, moved by `foresight` towards the actual price."""
    close = prices["close"].to_numpy()
    origins = np.arange(SESSIONS - 150, SESSIONS)
    tables = []
    for horizon in HORIZONS:
        target = origins + horizon
        mature = target < SESSIONS
        actual = np.where(mature, close[np.minimum(target, SESSIONS - 1)], np.nan)
        forecast = close[origins] * (np.where(mature, actual, close[origins]) / close[origins]) ** foresight
        table = {
            "origin": prices.index[origins],
            "horizon": horizon,
            "target_date": prices.index[origins] + pd.offsets.BDay(horizon),
            "close": close[origins],
            "forecast": forecast,
            "lower": forecast * 0.93,
            "upper": forecast * 1.07,
            "actual": actual,
        }
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


def run_backtest(prices, signals, trials=(0.1, 0.4)):
    """Run a backtest with the evidence for its Sharpe ratio, as in `zenith_pipelines.registry.trials`."""
    result = backtest(prices, signals)
    evidence = sharpe_evidence(*(result.equity[name].to_numpy() for name in ("strategy", "buy_and_hold")), trials)
    return replace(result, stats={name: stats | evidence[name] for name, stats in result.stats.items()})


def make_sample(foresight=0.0, **changes):
    """Return the evidence on a random walk; with `foresight` the price model has skill."""
    rng = np.random.default_rng(4)
    index = pd.bdate_range("2020-01-01", periods=SESSIONS, name="date")
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, SESSIONS)))
    prices = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), close) | {"volume": 1e6}, index=index)
    forecasts = make_forecasts(prices, foresight)
    signals = pd.DataFrame(rng.dirichlet([5, 8, 6], 150), columns=["sell", "hold", "buy"])
    signals["likeliest"], signals["label"] = signals.idxmax(axis=1), rng.choice(["sell", "hold", "buy"], 150)
    signals["reason"] = np.where(signals["likeliest"] == "hold", "low_confidence", "model")
    signals["signal"] = signals["likeliest"]
    signals.insert(0, "date", index[-150:])
    sample = Sample(
        prices=prices,
        forecasts=forecasts,
        signals=signals,
        price_metrics=price_metrics(forecasts),
        signal_metrics=signal_metrics(signals),
        backtests={
            "lstm": run_backtest(prices, forecast_signals(forecasts)),
            "ensemble": run_backtest(prices, signals.set_index("date")["signal"]),
        },
        price_study=PRICE_STUDY,
        signal_study=SIGNAL_STUDY,
        leakage=CERTIFICATE,
        risk_record=RISK_RECORD,
    )
    return replace(sample, **changes)


def sample_facts(sample):
    """Return the facts of the datasets of a sample, by name."""
    trading = asdict(BacktestConfig(holding_period=5))
    models = (
        ("lstm", sample.price_metrics, sample.price_study),
        ("ensemble", sample.signal_metrics, sample.signal_study),
    )
    origins = {"version": 1, "data_end": "2021-07-13", "data_version": "abc123", "versions": {"zenith": "0.2.0"}}
    return {
        **{
            f"{kind}_model": {**origins, "kind": kind, "model": f"{kind}-PETR4.SA", "metrics": metrics, "study": study}
            for kind, metrics, study in models
        },
        **{
            f"{kind}_backtest": {
                "stats": own.stats,
                "config": trading,
                "model_version": 1,
                "equity": equity_curve(own.equity),
                "trades": last_trades(own.trades),
            }
            for kind, own in sample.backtests.items()
        },
        "indicator_features": {"leakage": sample.leakage, "data_version": "abc123"},
        "serving_snapshot": {"data_version": "abc123", "candles": candles(sample.prices)},
    }
