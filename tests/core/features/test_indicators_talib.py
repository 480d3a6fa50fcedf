"""All nine indicators against TA-Lib, on real and on simulated prices.

`ta` and TA-Lib begin their recursive averages differently (`ta` with the first value, TA-Lib with the mean of the
first window), so they are compared once both have forgotten how they began: after 12 spans, when e^-24 is left of
it. A Wilder average of 14 has a span of 27. Windows without memory are compared from their first value.
"""

import numpy as np
import pytest
import talib

from zenith_core.features.indicators import AVERAGES, INDICATORS, indicators
from zenith_pipelines.ingestion.sources.sample import SampleSource
from zenith_pipelines.ingestion.sources.simulated import SimulatedSource

TOLERANCE = 1e-7  # relative, and absolute where a value crosses zero
WILDER = 12 * 27

REFERENCES = {
    # name: (rows before both have forgotten their start, TA-Lib's answer)
    "rsi_14": (WILDER, lambda p: talib.RSI(p.close, 14)),
    "macd": (12 * 26, lambda p: talib.MACD(p.close, 12, 26, 9)[0]),
    "macd_signal": (12 * 35, lambda p: talib.MACD(p.close, 12, 26, 9)[1]),
    "macd_hist": (12 * 35, lambda p: talib.MACD(p.close, 12, 26, 9)[2]),
    # Both divide by n, not by n - 1.
    "bb_upper": (19, lambda p: talib.BBANDS(p.close, 20, 2, 2)[0]),
    "bb_middle": (19, lambda p: talib.BBANDS(p.close, 20, 2, 2)[1]),
    "bb_lower": (19, lambda p: talib.BBANDS(p.close, 20, 2, 2)[2]),
    **{f"sma_{w}": (w - 1, lambda p, w=w: talib.SMA(p.close, w)) for w in AVERAGES},
    **{f"ema_{w}": (12 * w, lambda p, w=w: talib.EMA(p.close, w)) for w in AVERAGES},
    # The fast stochastic: %K of 14 sessions, not smoothed, and %D its simple average of 3.
    "stoch_k": (15, lambda p: talib.STOCHF(p.high, p.low, p.close, 14, 3)[0]),
    "stoch_d": (15, lambda p: talib.STOCHF(p.high, p.low, p.close, 14, 3)[1]),
    "atr_14": (WILDER, lambda p: talib.ATR(p.high, p.low, p.close, 14)),
    "adx_14": (2 * WILDER, lambda p: talib.ADX(p.high, p.low, p.close, 14)),
    "cci_20": (19, lambda p: talib.CCI(p.high, p.low, p.close, 20)),
}
SOURCES = {"AAPL": SampleSource, "SIM-REGIME-1": SimulatedSource}


@pytest.fixture(scope="module", params=SOURCES)
def market(request):
    prices = SOURCES[request.param]().fetch(request.param).prices.astype(float)
    return prices, indicators(prices)


@pytest.mark.parametrize("name", REFERENCES)
def test_indicator_is_that_of_ta_lib_after_warm_up(name, market):
    prices, ours = market
    warm_up, reference = REFERENCES[name]
    theirs = reference(prices)[warm_up:]
    assert len(theirs) >= 500
    np.testing.assert_allclose(ours[name].iloc[warm_up:], theirs, rtol=TOLERANCE, atol=TOLERANCE)


def test_on_balance_volume_changes_as_ta_libs_does(market):
    prices, ours = market
    theirs = talib.OBV(prices.close, prices.volume)
    np.testing.assert_array_equal(ours["obv"].diff().iloc[1:], theirs.diff().iloc[1:])


def test_every_indicator_is_compared():
    assert {*REFERENCES, "obv"} == set(INDICATORS)
