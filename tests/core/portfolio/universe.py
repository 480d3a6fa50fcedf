"""Drawn returns of a universe with a known scale and a common factor."""

import numpy as np
import pandas as pd

from zenith_core.portfolio.universe_of_closes import universe_of_closes


def drawn_returns(rows=900, tickers=8, seed=1, common=0.6):
    """Return daily log returns (rows, tickers); the standard deviations go from 0.5 % to 3 %."""
    generator = np.random.default_rng(seed)
    factor = generator.standard_normal((rows, 1))
    own = generator.standard_normal((rows, tickers))
    return np.linspace(0.005, 0.03, tickers) * (np.sqrt(common) * factor + np.sqrt(1 - common) * own)


def drawn_universe(rows=600, tickers=8, *, names=None, young=None, ended=None, still=None, twin=None, version="1"):
    """Return the universe of drawn closes until 2024-06-28.

    young has 5 returns, ended no prices in the last 20 sessions, still no move in the last 60, twin the moves of T0.
    """
    names = names or [f"T{number}" for number in range(tickers)]
    returns = pd.DataFrame(drawn_returns(rows, len(names)), columns=names)
    if still:
        returns.loc[rows - 60 :, still] = 0.0
    if twin:
        returns[twin] = returns["T0"]
    closes = 100 * np.exp(pd.concat([pd.DataFrame(0.0, [0], names), returns.cumsum()]))
    closes.index = pd.bdate_range(end="2024-06-28", periods=rows + 1)
    if young:
        closes.loc[closes.index[:-6], young] = np.nan
    if ended:
        closes.loc[closes.index[-20:], ended] = np.nan
    return universe_of_closes(closes, dict.fromkeys(names, "USD"), dict.fromkeys(names, version))
