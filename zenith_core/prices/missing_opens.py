"""Opens that a source leaves blank: 0 or NaN in rows whose high, low and close are prices.

Yahoo has no opens in the first decades of old listings (XOM, JPM, ^SPX). Such a row is incomplete, not impossible.
"""

import numpy as np
import pandas as pd

from zenith_core.arrays import Bools, columns_of


def fill_missing_opens(table: pd.DataFrame) -> tuple[pd.DataFrame, Bools]:
    """Fill missing opens with the close before them; return the table and True for each filled row, (n,).

    table: index of naive midnights or NaT, in any order; float columns open, high, low, close
    The close is brought into the row's range, so that a split overnight does not matter. The first row has no close
    before it and gets its own. Nothing later than the row itself is used.
    """
    open_ = table["open"].to_numpy()
    missing = np.isnan(open_) | (open_ == 0)
    if not missing.any():
        return table, missing
    others = columns_of(table, ("high", "low", "close"))
    is_whole = (np.isfinite(others) & (others > 0)).all(axis=1) & (others[:, 1] <= others[:, 0])
    missing = np.asarray(missing & is_whole & table.index.notna())
    order = np.argsort(table.index.to_numpy(), kind="stable")  # NaT last
    closes = pd.Series(np.where(is_whole, others[:, 2], np.nan)[order]).ffill().shift(1).to_numpy()
    before = np.empty(len(table))
    before[order] = closes
    before = np.where(np.isnan(before), others[:, 2], before)
    open_ = np.where(missing, np.clip(before, others[:, 1], others[:, 0]), open_)
    return table.assign(open=open_), missing
