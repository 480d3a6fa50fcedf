"""The indicators and model inputs of one ticker: time on one core beside `ta`'s own indicators, in one run.

`ta` alone computes the indicator columns, with its own loops for ATR, ADX and CCI. Times are the processor's,
best of seven, because other programs on the machine slow it down.
"""

import os
import time
import warnings
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

SESSIONS = (1_000, 3_270, 5_000)
BAR = 100.0  # ms for the features of the most sessions


def main() -> None:
    """Print the milliseconds for each count of sessions, and the last beside its bar."""
    import numpy as np

    from zenith_core.features import features
    from zenith_core.indicators import indicators

    print("ms on one core\n  sessions    ta's indicators    indicators    features (indicators and model inputs)")
    for sessions in SESSIONS:
        prices = _random_walk(np.random.default_rng(0), sessions)
        alone, ours, all_ = (_best(compute, prices) for compute in (_ta_indicators, indicators, features))
        print(f"{sessions:>10,}{alone:>19.1f}{ours:>14.1f}{all_:>12.1f}")
    print(f"features of {sessions:,} sessions: {all_:.0f} ms (bar: {BAR:.0f} ms){'' if all_ <= BAR else ' MISSED'}")


def _best(compute: Callable, prices) -> float:
    compute(prices)  # imports
    times = []
    for _ in range(7):
        started = time.process_time()
        compute(prices)
        times.append(time.process_time() - started)
    return 1000 * min(times)


def _ta_indicators(prices) -> list:
    """The columns of `zenith_core.indicators.INDICATORS`, each by `ta`."""
    from ta import momentum, trend, volatility, volume

    from zenith_core.indicators import AVERAGES

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


def _random_walk(random, sessions: int):
    import numpy as np
    import pandas as pd

    close = 50 * np.exp(np.cumsum(0.015 * random.standard_normal(sessions)))
    opened = close * np.exp(0.005 * random.standard_normal(sessions))
    table = {
        "open": opened,
        "high": np.maximum(opened, close) * 1.005,
        "low": np.minimum(opened, close) * 0.995,
        "close": close,
        "volume": np.round(1e6 * np.exp(0.3 * random.standard_normal(sessions))),
    }
    return pd.DataFrame(table, index=pd.bdate_range("2000-01-03", periods=sessions))


if __name__ == "__main__":
    main()
