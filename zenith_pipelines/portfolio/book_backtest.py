"""The backtest of simple books from the cleaned prices of a home."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from zenith_core.backtesting.book_backtest import BookBacktest, backtest_books
from zenith_core.errors import NotAvailable
from zenith_core.market.exchanges import currency_pair, exchange_of
from zenith_core.portfolio.joint_closes import joint_closes
from zenith_pipelines.datasets.store import DatasetStore

NEXT_OPEN = 5  # sessions of other exchanges until an order must be filled


def backtest_of(store: DatasetStore, tickers: Sequence[str]) -> BookBacktest:
    """Backtest the books of `tickers`, without currency pairs. Raises NotAvailable if their history is too short."""
    names = [ticker for ticker in tickers if currency_pair(ticker) is None]
    tables = {name: store.read("cleaned_prices", name).tables["prices"] for name in names}
    closes = joint_closes(pd.DataFrame({name: table["close"] for name, table in tables.items()}).sort_index())
    opens = pd.DataFrame({name: table["open"] for name, table in tables.items()}).reindex(closes.index)
    costs = [exchange_of(name).commission + exchange_of(name).slippage for name in names]
    try:
        return backtest_books(opens.bfill(limit=NEXT_OPEN), closes, np.array(costs))
    except ValueError as error:
        raise NotAvailable(str(error)) from None
