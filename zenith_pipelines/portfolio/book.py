"""The risk of a book from a home's cleaned prices, and from the served distributions where there are some."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from zenith_core.arrays import Floats
from zenith_core.errors import InvalidTicker, NotAvailable, UserError
from zenith_core.market.exchanges import currency_pair, exchange_of
from zenith_core.market.suffixes import unit_of
from zenith_core.portfolio.book_risk import BookRisk, book_risk
from zenith_core.portfolio.correlation import independent_bets
from zenith_core.portfolio.joint_closes import YOUNG, joint_log_returns
from zenith_core.portfolio.joint_forecast import joint_forecast
from zenith_core.portfolio.marginals import with_marginal
from zenith_core.risk.forecast_distribution import ForecastDistribution
from zenith_core.snapshot import STALE_AFTER_SESSIONS, ServingSnapshot
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.portfolio.book_file import Book

DRAWS, SEED = 20_000, 1
MAX_NUMBERS = 5_000_000  # draws times positions: 40 MB for each table of them


@dataclass(frozen=True)
class BookForecast:
    """The risk of a book over the sessions after `as_of`.

    tickers, values:   of the positions, in `currency`
    from_bands:        True for a position whose distribution is the served one, False if it is from closes alone
    independent_bets:  how many uncorrelated tickers would vary as much together
    """

    as_of: str
    currency: str
    horizon: int
    tickers: tuple[str, ...]
    values: Floats
    cash: float
    from_bands: tuple[bool, ...]
    independent_bets: float
    risk: BookRisk


def forecast_book(
    store: DatasetStore, book: Book, horizon: int, tails: Sequence[float], currency: str | None = None
) -> BookForecast:
    """Forecast the risk of a book; `currency` may be omitted if all positions have the same. Raises UserError."""
    tickers = tuple(book.amounts)
    own = {ticker: _currency(ticker) for ticker in tickers}
    base = currency.upper() if currency else _only(own)
    closes = pd.DataFrame({ticker: _closes(store, ticker) for ticker in tickers}).sort_index()
    rates = {code: _rates(store, code, base, own) for code in sorted(set(own.values()) - {base})}
    for ticker, code in own.items():
        if code in rates:
            closes[ticker] *= rates[code].reindex(closes.index, method="ffill", limit=STALE_AFTER_SESSIONS)
    ends = _last_sessions(closes)
    last = closes.ffill().iloc[-1].to_numpy()
    amounts = np.array(list(book.amounts.values()))
    returns = joint_log_returns(closes)
    _require_history(returns, tickers)
    forecast = joint_forecast(returns, np.arange(len(tickers)), horizon)
    forecast = replace(forecast, drift=np.zeros(len(tickers)))  # a risk that counts on gains is too small
    count = max(2_000, min(DRAWS, MAX_NUMBERS // len(tickers)))
    draws = forecast.draw(count, SEED)
    bands = [None if own[ticker] in rates else _distribution(store, ticker, ends[ticker]) for ticker in tickers]
    for column, band in enumerate(bands):
        if band and forecast.scale[column] > 0:
            draws[:, column] = with_marginal(draws[:, column], band, horizon)
    values = amounts if book.are_values else amounts * last
    return BookForecast(
        str(max(ends.values())),
        base,
        horizon,
        tickers,
        values,
        book.cash,
        tuple(band is not None for band in bands),
        independent_bets(forecast.correlation),
        book_risk(values, draws, tails),
    )


def _closes(store: DatasetStore, ticker: str) -> pd.Series:
    """Return the closes of a ticker in its main currency. Raises UserError if the home has none."""
    if not store.exists("cleaned_prices", ticker):
        raise UserError(f"{ticker} has no prices in this home: `zenith run --tickers {ticker}` fetches them")
    close: pd.Series = store.read("cleaned_prices", ticker).tables["prices"]["close"]
    return close / unit_of(exchange_of(ticker).currency)[1]


def _currency(ticker: str) -> str:
    """Return the main currency of a ticker's quotes."""
    return unit_of(exchange_of(ticker).currency)[0]


def _only(own: dict[str, str]) -> str:
    """Return the one currency of all positions."""
    by_currency = {code: ticker for ticker, code in own.items()}
    if len(by_currency) > 1:
        several = ", ".join(f"{code} ({ticker})" for code, ticker in by_currency.items())
        raise UserError(f"the positions are in several currencies, {several}: name the book's with --currency")
    return next(iter(by_currency))


def _rates(store: DatasetStore, code: str, base: str, own: dict[str, str]) -> pd.Series:
    """Return the price of one `code` in `base`, from a pair of the home. Raises UserError that names the pair."""
    for ticker in store.tickers("cleaned_prices"):
        pair = currency_pair(ticker)
        if pair in ((code, base), (base, code)):
            close: pd.Series = store.read("cleaned_prices", ticker).tables["prices"]["close"]
            return close if pair == (code, base) else 1 / close
    example = next(ticker for ticker, each in own.items() if each == code)
    raise UserError(
        f"{example} is in {code} and the book in {base}: without the pair {code}{base}=X in this home it cannot be "
        f"converted; `zenith run --tickers {code}{base}=X` fetches it"
    )


def _last_sessions(closes: pd.DataFrame) -> dict[str, date]:
    """Return the day of each ticker's last close. Raises UserError for one long before the others'."""
    ends = {}
    for ticker, close in closes.items():
        end = pd.Timestamp(close.dropna().index[-1])
        behind = int((closes.index > end).sum())
        if behind > STALE_AFTER_SESSIONS:
            raise UserError(
                f"{ticker}: prices end on {end.date()}, {behind} sessions before the others': "
                f"`zenith run --tickers {ticker}` brings them up to date, or leave it out"
            )
        ends[str(ticker)] = end.date()
    return ends


def _require_history(returns: Floats, tickers: tuple[str, ...]) -> None:
    """Raise UserError for a ticker with too few returns."""
    for ticker, count in zip(tickers, np.isfinite(returns).sum(axis=0), strict=True):
        if count < YOUNG:
            raise UserError(f"{ticker} has {count} returns, and a scale needs {YOUNG}: leave it out")


def _distribution(store: DatasetStore, ticker: str, at: date) -> ForecastDistribution | None:
    """Return the served distribution, if the ticker has one from the session `at`."""
    try:
        snapshot = ServingSnapshot.from_json(store.facts("serving_snapshot", ticker))
    except (NotAvailable, InvalidTicker, KeyError):
        return None
    return snapshot.distribution_from(at)
