"""The prices of other tickers as a feature may see them: sessions that closed before the ticker's own close, in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

CLOSED_AT = "closed_at"
"""The column with the time at which a session closed, in UTC."""


@dataclass(frozen=True)
class OtherPrices:
    """Cleaned prices of other tickers.

    closes:  the closing time of each of the ticker's own sessions
    tables:  open, high, low, close, volume and CLOSED_AT by session, for each ticker
    """

    closes: "pd.Series[pd.Timestamp]"
    tables: Mapping[str, pd.DataFrame]

    def until(self, session: pd.Timestamp) -> dict[str, pd.DataFrame]:
        """Return the rows that had closed before the ticker's own close of `session`."""
        moment = self.closes[session]
        return {ticker: table[table[CLOSED_AT] < moment].copy() for ticker, table in self.tables.items()}


def known_at_close(prices: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return the last row of `other` that had closed before each session's own close, on the index of `prices`.

    Both have the column CLOSED_AT. NaN where nothing had closed yet.
    """
    rows = other[CLOSED_AT].searchsorted(prices[CLOSED_AT], side="left") - 1
    known = other.drop(columns=CLOSED_AT).reset_index(drop=True).reindex(rows)  # -1 is no row: NaN
    return known.set_axis(prices.index)
