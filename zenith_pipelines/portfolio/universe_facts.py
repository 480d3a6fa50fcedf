"""The facts of the asset `universe_forecasts`: the universe, and the rank probabilities of all its tickers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from zenith_core.arrays import Floats32
from zenith_core.portfolio.book_risk import book_risk
from zenith_core.portfolio.correlation import independent_bets
from zenith_core.portfolio.ranks import RANKED, rank_probabilities
from zenith_core.portfolio.universe import MAX_DENSE, Universe
from zenith_core.portfolio.universe_record import TAIL
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.portfolio.universe import served_distributions

DRAWS = 10_000
_MAX_NUMBERS = 10_000_000  # draws times tickers: 80 MB for each table of them
_DIGITS = 4  # of probabilities: a tenth of their Monte Carlo error
_SHARE_DIGITS = 6  # of a book and its parts


def universe_facts(store: DatasetStore, universe: Universe) -> dict[str, Any]:
    """Return the facts: those of `Universe.to_json`, and by horizon `ranks`, with a book of equal weights."""
    columns = range(len(universe.tickers))
    distributions = served_distributions(store, universe)
    count = max(2_000, min(DRAWS, _MAX_NUMBERS // len(columns)))
    draws = universe.standard_draws(columns, count)
    bets = independent_bets(universe.correlation(columns)) if len(columns) <= MAX_DENSE else _bets(draws)
    ranks = {}
    for horizon in RANKED:
        moves = universe.in_marginals(draws, columns, distributions, horizon)
        result = rank_probabilities(moves)
        rows = zip(
            universe.tickers,
            np.round(result.fifths, _DIGITS).tolist(),
            np.round(result.first, _DIGITS).tolist(),
            np.round(result.last, _DIGITS).tolist(),
            strict=True,
        )
        names = ("ticker", "fifths", "first", "last")
        ranks[str(horizon)] = {
            "independent_bets": bets,
            "tickers": sorted((dict(zip(names, row, strict=True)) for row in rows), key=lambda row: str(row["ticker"])),
            "book": _equal_weight(universe.tickers, moves),
        }
    scales = {ticker: version.scale_version for ticker, version in distributions.items()}
    return {**universe.to_json(), "draws": count, "scale_versions": scales, "ranks": ranks}


def _equal_weight(tickers: Sequence[str], moves: Floats32) -> dict[str, Any]:
    """Return the risk of a book of 1 with the same value of each ticker, and each one's part of it."""
    risk = book_risk(np.full(len(tickers), 1 / len(tickers)), moves, (TAIL,))
    (tail,) = risk.tails
    shares = risk.contributions / (risk.volatility or 1.0)
    correlations = np.divide(risk.contributions, risk.alone, out=np.zeros(len(tickers)), where=risk.alone > 0)
    rows = zip(tickers, shares.round(_SHARE_DIGITS).tolist(), correlations.round(_DIGITS).tolist(), strict=True)
    return {
        "volatility": round(risk.volatility, _SHARE_DIGITS),
        "tail": TAIL,
        "value_at_risk": round(tail.value_at_risk, _SHARE_DIGITS),
        "expected_shortfall": round(tail.shortfall, _SHARE_DIGITS),
        "parts": {ticker: {"share": share, "correlation": correlation} for ticker, share, correlation in rows},
    }


def _bets(draws: Floats32) -> float:
    """Return the independent bets of so many tickers, from the variance of their mean: no matrix is made."""
    rows = draws @ draws.T / len(draws)
    return float(draws.shape[1] ** 2 / np.square(rows).sum())
