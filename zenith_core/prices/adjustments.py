"""Adjustment factors for splits and dividends, from actions, from an adjusted close, or from the prices themselves.

All factors are 1 at the last row and reach back from there: adjusted price = price · `price`, adjusted
volume = volume / `split`. The split part of `price` is `split`; the rest is dividends.
"""

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zenith_core.arrays import Bools, Floats, columns_of
from zenith_core.prices.dividend_evidence import Dividends, judge_dividends
from zenith_core.prices.jumps import RATIOS, SMALLEST_SPLIT, Bars, overnight_jumps, unrecorded_splits
from zenith_core.words import counted

_MAX_ROUNDS = 20  # a repaired split may reveal another beside it; real histories need two rounds


@dataclass(frozen=True)
class Adjustment:
    """Factors by row, (n,), with counts and notes on their origin.

    is_doubtful: True if the prices may be adjusted for the dividends already
    """

    price: Floats
    split: Floats
    counts: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    is_doubtful: bool = False

    def then(self, position: int, ratio: float) -> Self:
        """Return the adjustment with one more split before the row at `position`: `ratio` new shares for an old one."""
        step = np.ones(len(self.price))
        step[:position] = 1 / ratio
        return replace(self, price=self.price * step, split=self.split * step)


def recorded_adjustment(rows: pd.DataFrame, actions: pd.DataFrame, closes_between: pd.Series) -> Adjustment:
    """Adjust by the splits of the source and by its dividends; without dividends, by its adjusted close if it has one.

    rows:            usable rows, sorted, one per session: open, high, low, close, volume and perhaps adj_close
    actions:         dividends and splits (0 where none) by date, sorted; those of days without a usable row count for
                     the next
    closes_between:  closes of days without a usable row that can be relied on, by date, sorted: a dividend is divided
                     by the close before it
    """
    if "adj_close" in rows and not actions["dividends"].any():
        return _by_adjusted_close(rows)
    return _by_actions(rows, actions, closes_between)


def repaired_adjustment(rows: pd.DataFrame, has_trading: Bools, adjustment: Adjustment) -> Adjustment:
    """Add the splits that the source omits, until none is left. Uses rows with trading only."""
    where = np.flatnonzero(has_trading)
    repairs = []
    for _ in range(_MAX_ROUNDS):
        splits = unrecorded_splits(_bars(rows, adjustment, where))
        if not splits:
            break
        for position, ratio in splits:
            adjustment = adjustment.then(int(where[position]), ratio)
            repairs.append(f"unrecorded split repaired on {rows.index[where[position]]:%Y-%m-%d}: {_ratio_text(ratio)}")
    return replace(
        adjustment,
        counts={**adjustment.counts, "splits_repaired": len(repairs)},
        notes=(*adjustment.notes, *repairs),
    )


def _bars(rows: pd.DataFrame, adjustment: Adjustment, where: NDArray[np.intp]) -> Bars:
    prices = columns_of(rows, ("open", "high", "low", "close"))[where] * adjustment.price[where, None]
    open_, high, low, close = prices.T
    return Bars(open_, high, low, close, volume=rows["volume"].to_numpy()[where] / adjustment.split[where])


def _by_adjusted_close(rows: pd.DataFrame) -> Adjustment:
    factor = (rows["adj_close"] / rows["close"]).to_numpy()
    steps = np.diff(np.log(factor), prepend=np.log(factor[0]))
    nearest = RATIOS[np.abs(np.log(RATIOS)[:, None] - steps).argmin(axis=0)]
    # A dividend never comes near the size of a split, so the rest of the step is dividends and rounding.
    is_split = (np.abs(steps) > SMALLEST_SPLIT) & (np.abs(steps - np.log(nearest)) < 0.03)
    return Adjustment(
        price=factor / factor[-1],
        split=_reach_back(np.where(is_split, 1 / nearest, 1.0)),
        counts={"splits_applied": int(is_split.sum()), "dividends_applied": 0},
        notes=(
            "adjusted by the source's adjusted close",
            *_split_notes(rows.index, np.where(is_split, nearest, 1.0)),
        ),
    )


def _by_actions(rows: pd.DataFrame, actions: pd.DataFrame, closes_between: pd.Series) -> Adjustment:
    splits, dividends = _actions_by_row(rows.index, actions)
    jumps = overnight_jumps(_bars(rows, _none(len(rows)), np.arange(len(rows))))
    in_prices = _splits_in_prices(jumps, splits)
    ratios = np.where(in_prices, splits, 1.0)
    adjustment = _with_dividends(rows, _closes_before(rows, closes_between), jumps, dividends, ratios)
    inside = int(((splits != 1) & ~in_prices).sum())
    notes = _split_notes(rows.index, ratios)
    if inside:
        notes.append(f"{inside} recorded splits were in the prices already")
    counts = {"splits_applied": int((ratios != 1).sum()), "splits_in_prices": inside}
    return replace(adjustment, counts=counts | adjustment.counts, notes=(*notes, *adjustment.notes))


def _actions_by_row(index: pd.Index, actions: pd.DataFrame) -> tuple[Floats, Floats]:
    """Split ratios (1 where none) and dividends by row; an action between two rows counts for the later one."""
    position = index.searchsorted(actions.index)
    inside = (position > 0) & (position < len(index))  # before the first row there is nothing to adjust
    splits, dividends = np.ones(len(index)), np.zeros(len(index))
    ratio = actions["splits"].to_numpy()
    np.multiply.at(splits, position[inside], np.where(ratio == 0, 1.0, ratio)[inside])
    np.add.at(dividends, position[inside], actions["dividends"].to_numpy()[inside])
    return splits, dividends


def _splits_in_prices(jumps: Floats, splits: Floats) -> Bools:
    """Return True for each split still visible in the prices, which are unadjusted for it.

    Yahoo's "unadjusted" prices are adjusted for splits, those of other sources are not. A large split is tested by
    itself; a small one is hidden in the day's move and follows the large ones, or else the sum of the evidence.
    """
    sizes = np.log(splits)
    shows = np.abs(jumps - sizes) < np.abs(jumps)
    small = (sizes != 0) & (np.abs(sizes) < SMALLEST_SPLIT)
    large = (sizes != 0) & ~small
    if large.any():
        majority = shows[large].mean() > 0.5
    else:
        majority = np.sum((jumps - sizes)[small] ** 2) < np.sum(jumps[small] ** 2)
    return np.asarray(np.where(small, majority, shows & large))


def _closes_before(rows: pd.DataFrame, closes_between: pd.Series) -> Floats:
    """Return the last close before each row, (n,); NaN before the first."""
    closes = rows["close"].shift(1).to_numpy().copy()
    following = rows.index.searchsorted(closes_between.index)
    inside = following < len(rows)
    closes[following[inside]] = closes_between.to_numpy()[inside]  # of several, the last
    return closes


def _with_dividends(
    rows: pd.DataFrame, closes_before: Floats, jumps: Floats, dividends: Floats, splits: Floats
) -> Adjustment:
    previous = closes_before / splits  # a dividend is per share of the ex-date
    sensible = (dividends > 0) & (dividends < 0.999 * previous)
    factor = np.where(sensible, 1 - dividends / np.where(sensible, previous, np.inf), 1.0)
    notes = []
    if ignored_count := int(((dividends > 0) & ~sensible).sum()):
        notes.append(f"{counted(ignored_count, 'dividend')} ignored: not below the close before them")
    close = rows["close"].to_numpy()
    if "adj_close" in rows:  # only prices as traded differ from it
        judgement = Dividends.IN_PRICES if (rows["adj_close"] == close).all() else Dividends.BESIDE_PRICES
    else:
        cash = np.where(sensible, dividends, 0.0)
        judgement = judge_dividends(close, jumps - np.log(splits), factor, cash, splits)
    if judgement is Dividends.IN_PRICES:
        notes.append(f"{int(sensible.sum())} recorded dividends were in the prices already")
        sensible, factor = np.zeros_like(sensible), np.ones_like(factor)
    return Adjustment(
        price=_reach_back(factor / splits),
        split=_reach_back(1 / splits),
        counts={"dividends_applied": int(sensible.sum()), "dividends_ignored": ignored_count},
        notes=tuple(notes),
        is_doubtful=bool(sensible.any()) and judgement is Dividends.UNCLEAR,
    )


def _reach_back(step: Floats) -> Floats:
    """Return the factor of each row: the product of all later steps, (n,), exactly 1 at the last row."""
    return np.append(np.cumprod(step[:0:-1])[::-1], 1.0)


def _none(length: int) -> Adjustment:
    return Adjustment(price=np.ones(length), split=np.ones(length))


def _split_notes(index: pd.Index, ratios: Floats) -> list[str]:
    return [f"split on {index[i]:%Y-%m-%d}: {_ratio_text(ratios[i])}" for i in np.flatnonzero(ratios != 1).tolist()]


def _ratio_text(ratio: float) -> str:
    """`2:1`, `3:2`, `1:10`: new shares to old."""
    old = next((n for n in (1, 2, 3, 4, 5) if abs(ratio * n - round(ratio * n)) < 1e-9 and round(ratio * n)), None)
    if old:
        return f"{round(ratio * old)}:{old}"
    return f"1:{1 / ratio:.6g}"
