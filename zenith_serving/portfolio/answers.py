"""From the forecast of all tickers to answers about several together. Pure but for the snapshots, which it reads."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any

import numpy as np

from zenith_core.errors import CorruptData, UserError
from zenith_core.names import DISCLAIMER
from zenith_core.portfolio.book_forecast import Book, BookForecast, forecast_book, needed_tickers
from zenith_core.portfolio.correlation import independent_bets
from zenith_core.portfolio.ranks import beat_probabilities, rank_probabilities
from zenith_core.portfolio.universe import Universe
from zenith_core.risk.forecast_distribution import ForecastDistribution
from zenith_core.snapshot import STALE_AFTER_SESSIONS, ServingSnapshot
from zenith_serving.errors import UnknownTicker, nearby
from zenith_serving.prediction.responses import age_in_sessions
from zenith_serving.published.snapshot_store import SnapshotStore
from zenith_serving.schemas.universe import (
    BookAnswer,
    BookRequest,
    BookScenario,
    BookTail,
    PositionRisk,
    RankRequest,
    RankTable,
    TickerRanks,
    UniverseRecord,
)

DRAWS = 5_000  # a quarter of those of `zenith book`: the answer is not kept
_DIGITS = 6  # of probabilities


def book_answer(universe: Universe, snapshots: SnapshotStore, request: BookRequest, now: datetime) -> BookAnswer:
    """Return the risk of a book.

    Raises UnknownTicker, NotAvailable for a ticker that has prices and no forecast, and UserError for a currency that
    cannot be converted.
    """
    request = _under_present_names(universe, snapshots, request)
    tickers = [position.ticker for position in request.positions]
    _require_data(universe, snapshots, tickers)
    own = _snapshots(snapshots, needed_tickers(universe, tickers, request.currency))
    forecast = forecast_book(
        universe,
        _book(request),
        _distributions(universe, own),
        request.horizon,
        request.tails,
        request.currency,
        DRAWS,
    )
    return BookAnswer(
        **_book_figures(forecast),
        positions=_positions(universe, forecast),
        stale=any(age_in_sessions(own[ticker], now) > STALE_AFTER_SESSIONS for ticker in tickers if ticker in own),
        universe_version=universe.version,
        timestamp=now,
        disclaimer=DISCLAIMER,
    )


def group_ranks(universe: Universe, snapshots: SnapshotStore, request: RankRequest) -> RankTable:
    """Return the rank probabilities of a group among one another. Raises as `book_answer`."""
    tickers = list(dict.fromkeys(_present_name(universe, snapshots, ticker) for ticker in request.tickers))
    _require_data(universe, snapshots, tickers)
    columns = [universe.column(ticker) for ticker in tickers]
    draws = universe.standard_draws(columns, DRAWS)
    distributions = _distributions(universe, _snapshots(snapshots, tickers))
    moves = universe.in_marginals(draws, columns, distributions, request.horizon)
    ranks, beats, correlations = rank_probabilities(moves), beat_probabilities(moves), universe.correlation(columns)
    return RankTable(
        **_table_fields(universe, len(tickers), request.horizon),
        independent_bets=independent_bets(correlations),
        ranks=[
            TickerRanks(
                ticker=ticker,
                fifths=np.round(ranks.fifths[number], _DIGITS).tolist(),
                first=round(float(ranks.first[number]), _DIGITS),
                last=round(float(ranks.last[number]), _DIGITS),
                beats=np.round(beats[number], _DIGITS).tolist(),
                correlations=np.round(correlations[number], _DIGITS).tolist(),
            )
            for number, ticker in enumerate(tickers)
        ],
        left_out={},
    )


def all_ranks(
    universe: Universe, ranks: Mapping[str, Any], record: Mapping[str, Any], horizon: int, limit: int, after: str | None
) -> RankTable:
    """Return a page of the stored ranks of all tickers, with their record by horizon.

    Raises UserError for a horizon that is not stored.
    """
    if str(horizon) not in ranks:
        raise UserError(f"horizon: the ranks of all tickers are stored for {' and '.join(ranks)} sessions ahead")
    facts = ranks[str(horizon)]
    rows = [row for row in facts["tickers"] if after is None or row["ticker"] > after]
    return RankTable(
        **_table_fields(universe, len(universe.tickers), horizon),
        independent_bets=facts["independent_bets"],
        ranks=[TickerRanks(**row) for row in rows[:limit]],
        left_out=dict(universe.left_out),
        record=UniverseRecord(**record[str(horizon)]) if str(horizon) in record else None,
        next=rows[limit - 1]["ticker"] if len(rows) > limit else None,
    )


def _under_present_names(universe: Universe, snapshots: SnapshotStore, request: BookRequest) -> BookRequest:
    names = [_present_name(universe, snapshots, position.ticker) for position in request.positions]
    if names == [position.ticker for position in request.positions]:
        return request
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"{twice} is there twice, once under its old name: add the two up")
    positions = zip(request.positions, names, strict=True)
    return request.model_copy(
        update={"positions": [position.model_copy(update={"ticker": name}) for position, name in positions]}
    )


def _present_name(universe: Universe, snapshots: SnapshotStore, ticker: str) -> str:
    """Return the name under which the forecast of all tickers has a ticker, before or after its rename."""
    if ticker in universe.columns or ticker in universe.left_out:
        return ticker
    names = (snapshots.current_name(ticker), *snapshots.earlier_names(ticker))
    return next((name for name in names if name in universe.columns), snapshots.current_name(ticker))


def _require_data(universe: Universe, snapshots: SnapshotStore, tickers: Sequence[str]) -> None:
    """Raise UnknownTicker for a ticker that has neither a forecast nor data. It is named by its number."""
    for number, ticker in enumerate(tickers, start=1):
        if ticker not in universe.columns and ticker not in universe.left_out and not _has_data(snapshots, ticker):
            raise UnknownTicker(nearby(ticker, list(universe.tickers)), f"no forecast of ticker number {number}")


def _has_data(snapshots: SnapshotStore, ticker: str) -> bool:
    return ticker in _snapshots(snapshots, [ticker])


def _snapshots(snapshots: SnapshotStore, tickers: Iterable[str]) -> dict[str, ServingSnapshot]:
    """Return the snapshots of the tickers that have a readable one."""
    own = {}
    for ticker in tickers:
        with suppress(UnknownTicker, CorruptData):
            own[ticker] = snapshots.get(ticker)
    return own


def _distributions(universe: Universe, own: Mapping[str, ServingSnapshot]) -> dict[str, ForecastDistribution]:
    """Return the distributions from each ticker's last session or later."""
    return {
        ticker: snapshot.distribution
        for ticker, snapshot in own.items()
        if snapshot.distribution is not None
        and ticker in universe.columns
        and snapshot.as_of >= date.fromisoformat(universe.ends[universe.columns[ticker]])
    }


def _book(request: BookRequest) -> Book:
    amounts = {each.ticker: each.quantity if each.value is None else each.value for each in request.positions}
    return Book(
        {ticker: amount or 0.0 for ticker, amount in amounts.items()},
        tuple(each.value is not None for each in request.positions),
        request.cash,
    )


def _book_figures(forecast: BookForecast) -> dict[str, Any]:
    risk = forecast.risk
    return {
        "as_of": date.fromisoformat(forecast.as_of),
        "horizon": forecast.horizon,
        "currency": forecast.currency,
        "value": float(forecast.values.sum() + forecast.cash),
        "gross": float(np.abs(forecast.values).sum()),
        "cash": forecast.cash,
        "volatility": risk.volatility,
        "diversification": risk.diversification,
        "independent_bets": forecast.independent_bets,
        "tails": [
            BookTail(tail=tail.tail, value_at_risk=tail.value_at_risk, expected_shortfall=tail.shortfall)
            for tail in risk.tails
        ],
        "scenarios": [BookScenario(**vars(scenario)) for scenario in forecast.scenarios],
    }


def _positions(universe: Universe, forecast: BookForecast) -> list[PositionRisk]:
    risk = forecast.risk
    return [
        PositionRisk(
            ticker=ticker,
            value=float(forecast.values[number]),
            volatility=float(risk.alone[number]),
            volatility_contribution=float(risk.contributions[number]),
            shortfall_contributions=[float(tail.contributions[number]) for tail in risk.tails],
            scale="bands" if forecast.from_bands[number] else "closes",
            data_version=universe.versions[universe.columns[ticker]],
        )
        for number, ticker in enumerate(forecast.tickers)
    ]


def _table_fields(universe: Universe, tickers: int, horizon: int) -> dict[str, Any]:
    return {
        "as_of": date.fromisoformat(universe.as_of),
        "horizon": horizon,
        "tickers": tickers,
        "universe_version": universe.version,
        "disclaimer": DISCLAIMER,
    }
