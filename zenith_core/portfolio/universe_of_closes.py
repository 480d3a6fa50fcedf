"""The universe of tickers from their closes."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from zenith_core.errors import NotAvailable
from zenith_core.portfolio.close_scale import close_scale
from zenith_core.portfolio.joint_closes import YOUNG, joint_closes, log_returns
from zenith_core.portfolio.standardized import shrinkage, standardized
from zenith_core.portfolio.universe import Universe
from zenith_core.snapshot import STALE_AFTER_SESSIONS

HORIZON = 20  # sessions: the scale from closes is that of four weeks, by the square root of time for others
ROWS = 2_520  # sessions, ten years: the reach of historical scenarios


def universe_of_closes(closes: pd.DataFrame, currencies: Mapping[str, str], versions: Mapping[str, str]) -> Universe:
    """Return the universe of `closes` (day × ticker), in the main currency of each ticker.

    A ticker with few returns, or whose closes end long before the others', is left out. Raises NotAvailable with the
    reason of the first one if none is left.
    """
    closes = closes.sort_index()
    left_out = _ended(closes)
    common = joint_closes(closes.drop(columns=list(left_out)))
    returns = log_returns(common)[-ROWS:]
    counts = dict(zip(map(str, common), np.isfinite(returns).sum(axis=0), strict=True))
    left_out |= {
        ticker: f"{ticker} has {count} returns, and a scale needs {YOUNG}: leave it out"
        for ticker, count in counts.items()
        if count < YOUNG
    }
    tickers = tuple(str(ticker) for ticker in closes.columns if ticker not in left_out)
    if not tickers:
        raise NotAvailable(next(iter(left_out.values()), "there are no prices to forecast from"))
    returns = returns[:, [ticker in tickers for ticker in common.columns]]
    scores = standardized(returns)
    last = closes[list(tickers)].ffill().iloc[-1]
    return Universe(
        days=tuple(str(day)[:10] for day in common.index[-len(returns) :]),
        tickers=tickers,
        currencies=tuple(currencies[ticker] for ticker in tickers),
        ends=tuple(str(closes[ticker].last_valid_index())[:10] for ticker in tickers),
        closes=last.to_numpy(dtype=np.float64),
        versions=tuple(versions[ticker] for ticker in tickers),
        scales=close_scale(returns, HORIZON) / np.sqrt(HORIZON),
        scores=scores,
        shrinkage=shrinkage(scores),
        left_out=left_out,
    )


def _ended(closes: pd.DataFrame) -> dict[str, str]:
    """Return the reason for each ticker whose closes end long before the others'."""
    reasons = {}
    for ticker in map(str, closes):
        end = closes[ticker].last_valid_index()
        if end is None:
            reasons[ticker] = f"{ticker} has 0 returns, and a scale needs {YOUNG}: leave it out"
        elif (behind := int((closes.index > end).sum())) > STALE_AFTER_SESSIONS:
            reasons[ticker] = (
                f"{ticker}: prices end on {str(end)[:10]}, {behind} sessions before the others': "
                f"`zenith run --tickers {ticker}` brings them up to date, or leave it out"
            )
    return reasons
