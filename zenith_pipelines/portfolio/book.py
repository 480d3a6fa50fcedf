"""The risk of a book from a home's cleaned prices, and from the served distributions where there are some."""

from collections.abc import Sequence

from zenith_core.errors import NotAvailable, UserError
from zenith_core.portfolio import book_forecast
from zenith_core.portfolio.book_forecast import Book, BookForecast, pairs_of, the_currency
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.portfolio.universe import currency_of, served_distributions, universe_of

DRAWS = 20_000


def forecast_book(
    store: DatasetStore, book: Book, horizon: int, tails: Sequence[float], currency: str | None = None
) -> BookForecast:
    """Forecast the risk of a book; `currency` may be omitted if all positions have the same. Raises UserError."""
    own = {ticker: currency_of(ticker) for ticker in book.amounts}
    base = currency.upper() if currency else the_currency(own)
    for ticker in own:
        if not store.exists("cleaned_prices", ticker):
            raise UserError(f"{ticker} has no prices in this home: `zenith run --tickers {ticker}` fetches them")
    foreign = set(own.values()) - {base}
    pairs = pairs_of(store.tickers("cleaned_prices"), foreign, base) if foreign else []
    try:
        universe = universe_of(store, list(dict.fromkeys([*own, *pairs])))
        return book_forecast.forecast_book(
            universe, book, served_distributions(store, universe), horizon, tails, base, DRAWS
        )
    except NotAvailable as error:
        raise UserError(str(error)) from None
