"""Prices with dividends beside them: as traded, adjusted already, or unclear."""

import numpy as np
import pandas as pd
import pytest

from zenith_core.errors import InvalidPrices
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import sessions_between
from zenith_core.prices.cleaning import clean_prices

SESSIONS = sessions_between(exchange_of("AAPL"), pd.Timestamp(2014, 1, 2).date(), pd.Timestamp(2018, 1, 1).date())
EX_DATES = np.arange(50, len(SESSIONS), 63)
PRICES = ["open", "high", "low", "close"]
RATE = 1.2345678  # of a currency: cents do not show


def traded(seed=0, *, dividend=0.12, volatility=0.02):
    """Prices in whole cents whose open on an ex-date is lower by the dividend: (rows, true adjusted closes)."""
    random = np.random.default_rng(seed)
    moves = random.normal(0, volatility, len(SESSIONS))
    close, opens, dividends = [50.0], [50.0], np.zeros(len(SESSIONS))
    dividends[EX_DATES] = dividend
    for move, cash in zip(moves[1:], dividends[1:], strict=True):
        opens.append(round(close[-1] - cash, 2))
        close.append(round(max(opens[-1], 1) * np.exp(move), 2))
    rows = pd.DataFrame({"open": opens, "close": close}, index=SESSIONS)
    rows["high"], rows["low"] = rows.max(axis=1) + 0.01, rows.min(axis=1) - 0.01
    factor = np.ones(len(SESSIONS))
    for at in EX_DATES:
        factor[:at] *= 1 - dividend / close[at - 1]
    rows = rows[PRICES].assign(volume=1e6, dividends=dividends, splits=0.0)
    return rows, rows["close"] * factor, factor


def adjusted(rows, factor, digits=None):
    prices = rows[PRICES].mul(factor, axis=0)
    return rows.assign(**(prices if digits is None else prices.round(digits)))


def closes(rows, **options):
    return clean_prices(rows, "AAPL", from_file=True, **options).prices["close"]


@pytest.mark.parametrize("seed", range(5))
def test_cents_tell_prices_as_traded_from_adjusted_ones_where_moves_hide_the_drops(seed):
    rows, truth, factor = traded(seed)
    np.testing.assert_allclose(closes(rows), truth)
    np.testing.assert_allclose(closes(adjusted(rows, factor)), truth)
    np.testing.assert_allclose(closes(adjusted(rows, factor, digits=6)), truth, atol=1e-6)


def test_adjusted_prices_that_were_rounded_to_cents_are_refused_with_both_remedies():
    rows, _, factor = traded(volatility=0.004)
    with pytest.raises(InvalidPrices, match="remove the column of dividends if they are, add a column Adj Close if"):
        closes(adjusted(rows, factor, digits=2))


def test_without_cents_and_without_visible_drops_a_file_is_refused_and_another_source_is_as_traded():
    rows, _, _ = traded(volatility=0.03, dividend=0.01)
    rows[[*PRICES, "dividends"]] *= RATE
    with pytest.raises(InvalidPrices, match="AAPL: the prices may be adjusted for their dividends already, or not"):
        closes(rows)
    assert clean_prices(rows, "AAPL").counts["dividends_applied"] == len(EX_DATES)


def test_an_adjusted_close_beside_the_dividends_settles_it():
    rows, truth, factor = traded(volatility=0.03, dividend=0.01)
    rows[[*PRICES, "dividends"]] *= RATE
    np.testing.assert_allclose(closes(rows.assign(adj_close=rows["close"] * factor)), truth * RATE)
    np.testing.assert_allclose(closes(rows.assign(adj_close=rows["close"])), rows["close"])


def test_a_file_without_dividends_is_never_doubtful():
    rows, _, _ = traded()
    np.testing.assert_allclose(closes(rows.assign(dividends=0.0)), rows["close"])
