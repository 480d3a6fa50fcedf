"""Evidence of whether prices are adjusted for the dividends beside them, as yfinance's `history()` returns them."""

from enum import Enum

import numpy as np

from zenith_core.arrays import Bools, Floats

_CENT = 0.01
_ON_CENT = 2e-4  # distance from a whole cent, for files that hold rounded or single-precision numbers
_STANDARD_DEVIATIONS = 4  # of the number of closes on a cent, by chance
_LOG_ODDS = 4  # by chance in at most 0.3 % of tickers, for any dividends
_ROUNDED_LOG_ODDS = 2  # prices as traded had at most 1.4 in 30 of 31 real tickers


class Dividends(Enum):
    """The place of a file's dividends: subtracted from earlier prices already, not subtracted, or unclear."""

    IN_PRICES = "in the prices"
    BESIDE_PRICES = "beside the prices"
    UNCLEAR = "unclear"


def judge_dividends(close: Floats, jumps: Floats, factor: Floats, dividends: Floats, splits: Floats) -> Dividends:
    """Judge by the closes before the last ex-date and by the moves over night on ex-dates.

    close:     (n,), of rows with dividends[0] == 0
    jumps:     log of the close before over the open, (n,), without splits
    factor:    1 - dividend / previous close, 1 where no dividend counts, (n,)
    dividends: those that count, 0 elsewhere, (n,)
    splits:    ratio of a split that shows in the prices, 1 elsewhere, (n,)

    Closes are traded in whole cents. Adjusted ones are not, until the adjustment is undone: a closed form, since the
    price before an ex-date is its adjusted price, over the factor of later dividends, plus the dividend. Where cents do
    not tell (prices of splits, few rows), prices that do not drop on ex-dates are adjusted. A file that was rounded to
    cents after the adjustment looks traded, so a lack of drops makes it unclear.
    """
    drops = _log_odds_of_no_drop(close, jumps, factor)
    last = int(np.flatnonzero(dividends).max(initial=0))
    given_cents, undone_cents = _on_cent(close[:last]), _on_cent(_undo(close, dividends, splits)[:last])
    traded_rows = int((given_cents & ~undone_cents).sum())
    adjusted_rows = int((undone_cents & ~given_cents).sum())
    if (adjusted_rows - traded_rows) ** 2 > _STANDARD_DEVIATIONS**2 * (adjusted_rows + traded_rows) > 0:
        if adjusted_rows > traded_rows:
            return Dividends.IN_PRICES
        return Dividends.UNCLEAR if drops > _ROUNDED_LOG_ODDS else Dividends.BESIDE_PRICES
    if abs(drops) <= _LOG_ODDS:
        return Dividends.UNCLEAR
    return Dividends.IN_PRICES if drops > 0 else Dividends.BESIDE_PRICES


def _undo(close: Floats, dividends: Floats, splits: Floats) -> Floats:
    """Return the closes before an adjustment for `dividends`, if `close` is adjusted for them, (n,)."""
    factor, factors = 1.0, np.ones(len(close))
    for row in np.flatnonzero(dividends)[::-1]:
        before = close[row - 1] / splits[row] / factor + dividends[row]
        factor *= 1 - dividends[row] / before
        factors[:row] = factor
    return close / factors


def _on_cent(prices: Floats) -> Bools:
    return np.asarray(np.abs(prices - np.round(prices / _CENT) * _CENT) < _ON_CENT)


def _log_odds_of_no_drop(close: Floats, jumps: Floats, factor: Floats) -> float:
    """Log-odds of "no drop" against "a drop of the dividend" under normal moves, over all dividends; 0 if unknown."""
    typical = np.median(np.abs(np.diff(np.log(close)))) / 0.6745 if len(close) > 1 else 0.0
    drops = -np.log(factor)
    if typical == 0 or not drops.any():
        return 0.0
    moves = np.clip(jumps, -4 * typical, np.maximum(4 * typical, drops))
    return float(np.sum(drops * (drops - 2 * moves)) / (2 * typical**2))
