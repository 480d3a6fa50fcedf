"""The risk of a book on drawn prices."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from tests.core.portfolio.universe import drawn_returns
from tests.core.risk.distributions import normal_distribution
from zenith_core.errors import UserError
from zenith_core.portfolio.book_forecast import Book
from zenith_core.risk.value_at_risk import value_at_risk
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.portfolio import book as books
from zenith_pipelines.portfolio.book import forecast_book

ROWS = 600
TICKERS = ("AAPL", "MSFT", "IBM", "SAP.DE", "VOD.L", "EURUSD=X", "STILL", "YOUNG")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Return a store with eight tickers of two years; STILL does not move at the end, YOUNG has a week."""
    store = DatasetStore(str(tmp_path_factory.mktemp("home")))
    days = pd.bdate_range(end="2024-06-28", periods=ROWS + 1, name="date")
    returns = drawn_returns(ROWS, len(TICKERS))
    returns[-60:, 6] = 0.0
    closes = 100 * np.exp(np.vstack([np.zeros(len(TICKERS)), returns.cumsum(axis=0)]))
    for column, ticker in enumerate(TICKERS):
        close = pd.Series(closes[:, column], days, name="close")
        write(store, ticker, close[-6:] if ticker == "YOUNG" else close)
    write(store, "LATE", pd.Series(closes[:-20, 0], days[:-20], name="close"))
    return store


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """Draw less often than the command."""
    monkeypatch.setattr(books, "DRAWS", 4_000)


def write(store, ticker, close):
    store.write("cleaned_prices", ticker, Dataset({"prices": close.to_frame()}))


def last_close(store, ticker):
    return store.read("cleaned_prices", ticker).tables["prices"]["close"].iloc[-1]


def forecast(store, amounts, *, horizon=5, values=True, cash=0.0, currency=None):
    return forecast_book(store, Book(amounts, values, cash), horizon, (0.05, 0.01), currency)


def test_quantities_are_valued_at_the_last_close(store):
    book = forecast(store, {"AAPL": 10.0, "MSFT": -2.0}, values=False, cash=50.0)

    np.testing.assert_allclose(book.values, [10 * last_close(store, "AAPL"), -2 * last_close(store, "MSFT")])
    assert (book.as_of, book.currency, book.cash) == ("2024-06-28", "USD", 50.0)


def test_the_volatility_is_that_of_the_prices(store):
    for ticker, daily in (("AAPL", 0.005), ("IBM", 0.005 + 2 * 0.025 / 7)):
        risk = forecast(store, {ticker: 1000.0}).risk
        assert risk.volatility == pytest.approx(1000 * daily * np.sqrt(5), rel=0.35)
        assert risk.volatility < risk.tails[0].value_at_risk < risk.tails[0].shortfall < risk.tails[1].shortfall


def test_positions_that_sum_to_nothing_have_a_risk(store):
    book = forecast(store, {"AAPL": 1000.0, "MSFT": -1000.0})

    assert book.values.sum() == 0
    assert book.risk.volatility > 0


def test_a_ticker_that_stands_still_has_no_risk(store):
    book = forecast(store, {"AAPL": 1000.0, "STILL": 1000.0})

    assert book.risk.alone[1] == 0
    assert book.risk.volatility == pytest.approx(book.risk.alone[0])


def test_a_served_distribution_is_used_if_it_is_of_the_last_session(store, tmp_path):
    own = DatasetStore(str(tmp_path))
    for ticker in ("AAPL", "MSFT"):
        own.write("cleaned_prices", ticker, store.read("cleaned_prices", ticker))
    for ticker, day in (("AAPL", date(2024, 6, 28)), ("MSFT", date(2024, 6, 27))):
        snapshot = ServingSnapshot(
            ticker, "d", "f", day, 100.0, "USD", 0.01, np.zeros((1, 1), np.float32), (day,),
            distribution=normal_distribution(daily=0.05),
        )  # fmt: skip
        own.write("serving_snapshot", ticker, Dataset(facts=snapshot.to_json()))

    book = forecast(own, {"AAPL": 1000.0, "MSFT": 1000.0})

    assert book.from_bands == (True, False)
    assert book.risk.alone[0] == pytest.approx(1000 * 0.05 * np.sqrt(5), rel=0.05)
    single = forecast(own, {"AAPL": 1000.0}).risk.tails[0]
    assert single.value_at_risk == pytest.approx(
        1000 * value_at_risk(normal_distribution(daily=0.05), 5, 0.05), rel=0.005
    )


def test_pence_are_hundredths_of_a_pound(store):
    book = forecast(store, {"VOD.L": 100.0}, values=False)

    assert book.currency == "GBP"
    assert book.values[0] == pytest.approx(last_close(store, "VOD.L"))


def test_a_foreign_position_takes_its_rate_and_the_rates_risk(store):
    book = forecast(store, {"AAPL": 10.0, "SAP.DE": 10.0}, values=False, currency="usd")
    alone = forecast(store, {"SAP.DE": 10.0}, values=False)
    rate = last_close(store, "EURUSD=X")

    assert book.currency == "USD"
    assert book.values[1] == pytest.approx(10 * last_close(store, "SAP.DE") * rate)
    assert book.risk.alone[1] > 1.2 * alone.risk.alone[0] * rate
    inverse = forecast(store, {"AAPL": 10.0}, values=False, currency="EUR")
    assert inverse.values[0] == pytest.approx(10 * last_close(store, "AAPL") / rate)


@pytest.mark.parametrize(
    ("amounts", "currency", "message"),
    [
        ({"AAPL": 1.0, "NVDA": 1.0}, None, "NVDA has no prices in this home: `zenith run --tickers NVDA`"),
        ({"AAPL": 1.0, "X.NOWHERE": 1.0}, None, "no exchange is known for .NOWHERE"),
        ({"AAPL": 1.0, "SAP.DE": 1.0}, None, "in several currencies, USD (AAPL), EUR (SAP.DE): name the book's"),
        ({"AAPL": 1.0, "VOD.L": 1.0}, "USD", "VOD.L is in GBP and the book in USD: without the pair GBPUSD=X"),
        ({"AAPL": 1.0}, "XYZ", "AAPL is in USD and the book in XYZ: without the pair USDXYZ=X"),
        ({"AAPL": 1.0, "LATE": 1.0}, None, "LATE: prices end on 2024-05-31, 20 sessions before the others'"),
        ({"AAPL": 1.0, "YOUNG": 1.0}, None, "YOUNG has 5 returns, and a scale needs 20: leave it out"),
    ],
)
def test_what_cannot_be_computed_is_one_line(store, amounts, currency, message):
    with pytest.raises(UserError) as error:
        forecast(store, amounts, currency=currency)

    assert message in str(error.value)
    assert "\n" not in str(error.value)
