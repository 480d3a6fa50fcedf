"""Read the prices of other tickers that the features of users name."""

from collections.abc import Sequence
from datetime import timedelta

import pandas as pd

from zenith_core.errors import NotAvailable
from zenith_core.features.declaration import PRICE_COLUMNS, ModelInput, OwnFeature
from zenith_core.features.model_features import INPUTS
from zenith_core.features.other_prices import CLOSED_AT, OtherPrices
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import closing_times, last_closed_session
from zenith_pipelines.datasets.store import DatasetStore


def other_prices(
    store: DatasetStore, ticker: str, sessions: pd.DatetimeIndex, inputs: Sequence[ModelInput] = INPUTS
) -> OtherPrices | None:
    """Return the prices that the inputs of `ticker` need, or None if they need its own alone.

    sessions:  of the ticker's own prices
    Raises NotAvailable if the prices of a ticker are missing, or end before a session that has closed by then.
    """
    names = sorted({name for one in inputs if isinstance(one, OwnFeature) for name in one.tickers})
    if not names:
        return None
    closes = pd.Series(closing_times(exchange_of(ticker), sessions), index=sessions)
    return OtherPrices(closes, {name: _prices(store, name, closes.iloc[-1]) for name in names})


def data_versions(store: DatasetStore, others: OtherPrices | None) -> dict[str, str]:
    """Return the data version of each other ticker."""
    return {name: store.facts("cleaned_prices", name)["data_version"] for name in (others.tables if others else ())}


def _prices(store: DatasetStore, ticker: str, until: pd.Timestamp) -> pd.DataFrame:
    remedy = f"`zenith run --tickers {ticker}` makes them"
    if not store.exists("cleaned_prices", ticker):
        raise NotAvailable(f"a feature uses the prices of {ticker}, and there are none: {remedy}")
    prices = store.read("cleaned_prices", ticker).tables["prices"]
    exchange = exchange_of(ticker)
    due = last_closed_session(exchange, until.to_pydatetime() - timedelta(seconds=1))
    last = prices.index[-1].date()
    if last < due:
        raise NotAvailable(f"a feature uses the prices of {ticker}, which end on {last} and not on {due}: {remedy}")
    sessions = pd.DatetimeIndex(prices.index)
    return prices[PRICE_COLUMNS].assign(**{CLOSED_AT: closing_times(exchange, sessions)})
