"""The backtest of simple books from the cleaned prices of a home."""

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from zenith_core.backtesting.book_backtest import FIRST, HALF_LIFE, REACH, BookBacktest, backtest_books
from zenith_core.errors import CorruptData, NotAvailable
from zenith_core.market.exchanges import currency_pair, exchange_of
from zenith_core.names import ALL_TICKERS, BOOK_BACKTEST
from zenith_core.portfolio.joint_closes import joint_closes
from zenith_pipelines.datasets.store import DatasetStore

NEXT_OPEN = 5  # sessions of other exchanges until an order must be filled


Trials = dict[str, dict[str, float]]
"""The annual Sharpe ratios by method, of each choice of tickers and of settings that was ever backtested."""


def backtest_of(store: DatasetStore, tickers: Sequence[str]) -> tuple[BookBacktest, Trials]:
    """Backtest the books of `tickers`, without currency pairs, and return all trials with it.

    The trials of earlier runs count in the deflation. Newer prices of the same tickers are no new trial. Raises
    NotAvailable if their history is too short.
    """
    names = [ticker for ticker in tickers if currency_pair(ticker) is None]
    tables = {name: store.read("cleaned_prices", name).tables["prices"] for name in names}
    closes = joint_closes(pd.DataFrame({name: table["close"] for name, table in tables.items()}).sort_index())
    opens = pd.DataFrame({name: table["open"] for name, table in tables.items()}).reindex(closes.index)
    costs = [exchange_of(name).commission + exchange_of(name).slippage for name in names]
    own = _trial(names)
    trials = {key: ratios for key, ratios in _trials(store).items() if key != own}
    earlier = [ratio for ratios in trials.values() for ratio in ratios.values()]
    try:
        result = backtest_books(opens.bfill(limit=NEXT_OPEN), closes, np.array(costs), earlier)
    except ValueError as error:
        raise NotAvailable(str(error)) from None
    ratios = {name: float(row["sharpe"]) for name, row in result.stats.items() if row["sharpe"] is not None}
    return result, {**trials, own: ratios}


def _trial(tickers: Sequence[str]) -> str:
    """Return the name of the trial of these tickers: a hash of them and of the settings of the methods."""
    settings = [FIRST, REACH, HALF_LIFE, sorted(tickers)]
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]


def _trials(store: DatasetStore) -> Trials:
    """Return the stored trials. A damaged file has none, as that of an earlier release."""
    if not store.exists(BOOK_BACKTEST, ALL_TICKERS):
        return {}
    try:
        return dict(store.facts(BOOK_BACKTEST, ALL_TICKERS).get("trials", {}))
    except CorruptData:  # the new backtest replaces it
        return {}
