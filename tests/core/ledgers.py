"""Ledgers that grow in steps, as tests of their chain need them."""

import pandas as pd

from zenith_core.evaluation.forecast_ledger import COLUMNS
from zenith_core.evaluation.ledger_chain import extend_ledger, replay


def add_forecasts(entries, ticker, at, rows, close):
    """The entries of an intact ledger after new forecasts and the outcomes that `close` brings."""
    return extend_ledger(entries, replay(entries), ticker, at, rows, close)[0]


def continue_chain(entries, forecasts, ticker, at, last_entry=None):
    """The entries of a stored ledger after a look at it, without new forecasts or outcomes."""
    nothing, no_closes = pd.DataFrame(columns=list(COLUMNS)), pd.Series(dtype=float, index=pd.DatetimeIndex([]))
    return extend_ledger(entries, forecasts, ticker, at, nothing, no_closes, last_entry)[0]
