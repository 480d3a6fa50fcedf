"""The dirt that real files contain, put into a clean simulated market at known places."""

import numpy as np
import pandas as pd
from numpy.random import Generator

RECORDED_SPLIT, UNRECORDED_SPLIT = 800, 1600
SOURCE_ERROR, GAP, LONG_GAP, FLAT = 400, 1200, 2000, 2400
DIVIDEND_EVERY = 63
_PRICES = ["open", "high", "low", "close"]


def with_dirt(prices: pd.DataFrame, random: Generator) -> pd.DataFrame:
    """Unadjust for dividends and two splits, of which one goes unrecorded, then spoil rows.

    At the positions named above: a price that is 80 % too high for one session, a missing session, a hole of
    30, five sessions without trading. Besides five rows without prices, a low above its high, a row twice, a
    Saturday, and a row without a date at the end.
    """
    table = _with_actions(prices.copy())
    table.iloc[SOURCE_ERROR, :4] *= 1.8
    for at in range(FLAT, FLAT + 5):
        table.iloc[at, :5] = [*[table["close"].iloc[FLAT - 1]] * 4, 0.0]
    table.iloc[random.choice(np.arange(100, 380), 5, replace=False), :4] = np.nan
    table.iloc[600, [1, 2]] = table.iloc[600, [2, 1]].tolist()
    saturday = table.iloc[[700]].set_axis(table.index[[700]] + pd.offsets.Week(weekday=5))
    undated = table.iloc[[-1]].set_axis(pd.DatetimeIndex([pd.NaT]))
    gone = table.index[[GAP, *range(LONG_GAP, LONG_GAP + 30)]]
    return pd.concat([table.drop(gone), saturday, table.iloc[[900]], undated])


def _with_actions(table: pd.DataFrame) -> pd.DataFrame:
    table["dividends"], table["splits"] = 0.0, 0.0
    row = np.arange(len(table))
    for at, recorded in ((RECORDED_SPLIT, True), (UNRECORDED_SPLIT, False)):
        table.loc[row < at, _PRICES] *= 2.0
        table.loc[row < at, "volume"] /= 2.0
        if recorded:
            table.loc[row == at, "splits"] = 2.0
    ex_date = (row > 0) & (row % DIVIDEND_EVERY == 0)
    table["dividends"] = np.where(ex_date, 0.005 * table["close"].shift(1), 0.0)
    return table
