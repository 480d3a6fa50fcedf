"""Random tickers whose volatility comes and goes, so that there is a scale to learn."""

import numpy as np
import pandas as pd

from zenith_core.risk.pooled_scale import Pool
from zenith_core.risk.price_moves import PriceMoves, price_moves


def swinging_prices(seed, sessions=1200):
    """Log volatility is an autoregression around 1.5 % a day; the day's range tells it."""
    rng = np.random.default_rng(seed)
    level = np.zeros(sessions)
    for row in range(1, sessions):
        level[row] = 0.97 * level[row - 1] + rng.normal(0, 0.12)
    steps = rng.normal(size=(sessions, 20)) * (0.015 * np.exp(level) / np.sqrt(20))[:, np.newaxis]
    paths = np.cumsum(steps, axis=1)
    before = np.log(30) + np.append(0.0, paths[:-1, -1].cumsum())
    open_, close = before + steps[:, 0], before + paths[:, -1]
    prices = {
        "open": open_,
        "high": before + paths.max(axis=1),
        "low": before + paths.min(axis=1),
        "close": close,
    }
    index = pd.bdate_range("2015-01-01", periods=sessions, name="date")
    table = pd.DataFrame({name: np.exp(values) for name, values in prices.items()}, index=index)
    return table.assign(volume=1e5, suspect=False)


def some_moves(tickers: int = 6, sessions: int = 1200) -> list[PriceMoves]:
    return [price_moves(swinging_prices(seed, sessions)) for seed in range(tickers)]


def pool(tickers: int = 6) -> Pool:
    return Pool(some_moves(tickers))
