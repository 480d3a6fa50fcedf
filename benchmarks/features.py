"""Indicators and model inputs of one ticker: time on one core beside the indicators of `ta` and TA-Lib, in one run.

`ta` computes only the indicator columns, with Python loops for ATR, ADX and CCI. TA-Lib does so in C, without a table,
index or check. Times are CPU times, best of seven, because other programs slow the machine down.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable

from harness.figures import Figure, add_json, report

FIGURES = ("features", "ta", "talib")
SESSIONS = (1_000, 2_000, 3_270, 5_000)


def main() -> None:
    """Print milliseconds for each number of sessions; report on the last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_json(parser)
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import numpy as np

    from zenith_core.features.indicators import indicators
    from zenith_core.features.model_features import features

    ways = {"ta": _ta_indicators, "TA-Lib": _talib_indicators, "indicators": indicators, "features": features}
    print("ms on one core\n  sessions" + "".join(f"{name:>12}" for name in ways))
    ms: dict[str, list[float]] = {name: [] for name in ways}
    for sessions in SESSIONS:
        prices = _random_walk(np.random.default_rng(0), sessions)
        for name, compute in ways.items():
            ms[name].append(_best(compute, prices))
        print(f"{sessions:>10,}" + "".join(f"{took[-1]:>12.1f}" for took in ms.values()))
    last = {name: took[-1] for name, took in ms.items()}
    figures = [
        Figure("features", last["features"]),
        Figure("ta", last["indicators"], last["ta"]),
        Figure("talib", last["indicators"], last["TA-Lib"]),
    ]
    report("features", figures, arguments.json, {"sessions": SESSIONS, "ms": ms})


def _best(compute: Callable, prices) -> float:
    compute(prices)  # imports
    times = []
    for _ in range(7):
        start = time.process_time()
        compute(prices)
        times.append(time.process_time() - start)
    return 1000 * min(times)


def _ta_indicators(prices) -> list:
    """Compute the columns of `zenith_core.features.indicators.INDICATORS` with `ta`."""
    from ta import momentum, trend, volatility, volume

    from zenith_core.features.indicators import AVERAGES

    high, low, close = prices["high"], prices["low"], prices["close"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        macd, bands = trend.MACD(close), volatility.BollingerBands(close)
        stochastic = momentum.StochasticOscillator(high, low, close)
        return [
            momentum.RSIIndicator(close).rsi(),
            *(macd.macd(), macd.macd_signal(), macd.macd_diff()),
            *(bands.bollinger_lband(), bands.bollinger_mavg(), bands.bollinger_hband()),
            *(trend.SMAIndicator(close, window).sma_indicator() for window in AVERAGES),
            *(trend.EMAIndicator(close, window).ema_indicator() for window in AVERAGES),
            *(stochastic.stoch(), stochastic.stoch_signal()),
            volatility.AverageTrueRange(high, low, close).average_true_range(),
            volume.OnBalanceVolumeIndicator(close, prices["volume"]).on_balance_volume(),
            trend.ADXIndicator(high, low, close).adx(),
            trend.CCIIndicator(high, low, close).cci(),
        ]


def _talib_indicators(prices) -> list:
    """Compute the same columns with TA-Lib."""
    import talib

    from zenith_core.features.indicators import AVERAGES

    high, low, close, volume = (prices[name].to_numpy() for name in ("high", "low", "close", "volume"))
    return [
        talib.RSI(close, 14),
        *talib.MACD(close, 12, 26, 9),
        *talib.BBANDS(close, 20, 2, 2),
        *(talib.SMA(close, window) for window in AVERAGES),
        *(talib.EMA(close, window) for window in AVERAGES),
        *talib.STOCHF(high, low, close, 14, 3),
        talib.ATR(high, low, close, 14),
        talib.OBV(close, volume),
        talib.ADX(high, low, close, 14),
        talib.CCI(high, low, close, 20),
    ]


def _random_walk(random, sessions: int):
    import numpy as np
    import pandas as pd

    close = 50 * np.exp(np.cumsum(0.015 * random.standard_normal(sessions)))
    open_ = close * np.exp(0.005 * random.standard_normal(sessions))
    table = {
        "open": open_,
        "high": np.maximum(open_, close) * 1.005,
        "low": np.minimum(open_, close) * 0.995,
        "close": close,
        "volume": np.round(1e6 * np.exp(0.3 * random.standard_normal(sessions))),
    }
    return pd.DataFrame(table, index=pd.bdate_range("2000-01-03", periods=sessions))


if __name__ == "__main__":
    main()
