"""The forecast of a book: its positions valued in joint draws of their tickers. numpy alone: serving uses it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zenith_core.arrays import AnyFloats, Floats
from zenith_core.errors import UserError
from zenith_core.market.exchanges import currency_pair
from zenith_core.portfolio.book_risk import BookRisk, book_risk
from zenith_core.portfolio.correlation import independent_bets
from zenith_core.portfolio.draws import correlated_draws
from zenith_core.portfolio.scenarios import Scenario, scenario_moves, worst_scenarios
from zenith_core.portfolio.universe import SEED, Universe
from zenith_core.risk.forecast_distribution import ForecastDistribution

MAX_POSITIONS = 1_000  # a dense correlation matrix of more takes minutes
MAX_AMOUNT = 1e15
SCENARIOS = 5
_MAX_NUMBERS = 5_000_000  # draws times positions: 40 MB for each table of them
_FEWEST_DRAWS = 2_000


@dataclass(frozen=True)
class Book:
    """Positions and cash.

    amounts:       by ticker; negative for a short
    are_values:    True if amounts are in the book's currency, False if they are numbers of shares; of all, or of each
    cash:          in the book's currency, negative for a debt
    """

    amounts: dict[str, float]
    are_values: bool | tuple[bool, ...]
    cash: float


@dataclass(frozen=True)
class BookForecast:
    """The risk of a book over the sessions after `as_of`.

    tickers, values:   of the positions, in `currency`
    from_bands:        True for a position whose distribution is the served one, False if it is from closes alone
    independent_bets:  how many uncorrelated tickers would vary as much together
    scenarios:         the worst ones of the past, the worst first
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
    scenarios: tuple[Scenario, ...]


def forecast_book(
    universe: Universe,
    book: Book,
    distributions: Mapping[str, ForecastDistribution],
    horizon: int,
    tails: Sequence[float],
    currency: str | None = None,
    draws: int = 20_000,
) -> BookForecast:
    """Forecast the risk of a book; `currency` may be omitted if all positions have the same.

    distributions: served ones, by ticker; that of a currency pair counts too

    Raises UserError for a currency without a pair, and NotAvailable for a ticker without a forecast.
    """
    tickers = tuple(book.amounts)
    columns = [universe.column(ticker) for ticker in tickers]
    own = [universe.currencies[column] for column in columns]
    base = currency.upper() if currency else the_currency(dict(zip(tickers, own, strict=True)))
    pairs = {code: _pair(universe, code, base, tickers[own.index(code)]) for code in sorted(set(own) - {base})}
    everything = [*columns, *(column for column, _ in pairs.values())]
    places = {code: (len(columns) + number, sign) for number, (code, (_, sign)) in enumerate(pairs.items())}
    count = max(_FEWEST_DRAWS, min(draws, _MAX_NUMBERS // len(everything)))
    matrix = universe.correlation(everything)
    sample = correlated_draws(matrix, count, SEED)
    moves = _converted(universe.in_marginals(sample, everything, distributions, horizon), own, places)
    scales = np.array([universe.scale(c, distributions.get(universe.tickers[c]), horizon) for c in everything])
    past = _converted(scenario_moves(universe, everything, scales, horizon), own, places)
    rates = np.array([universe.closes[pairs[code][0]] ** pairs[code][1] if code in pairs else 1.0 for code in own])
    amounts = np.array(list(book.amounts.values()), dtype=np.float64)
    values = np.where(book.are_values, amounts, amounts * universe.closes[columns] * rates)
    return BookForecast(
        universe.as_of,
        base,
        horizon,
        tickers,
        values,
        book.cash,
        tuple(ticker in distributions and universe.scales[c] > 0 for ticker, c in zip(tickers, columns, strict=True)),
        independent_bets(matrix[: len(columns), : len(columns)]),
        book_risk(values, moves, tails),
        worst_scenarios(universe, past, values, horizon, SCENARIOS),
    )


def needed_tickers(universe: Universe, tickers: Sequence[str], currency: str | None) -> list[str]:
    """Return the tickers whose distributions a book of `tickers` needs: with the pairs of foreign currencies."""
    foreign = {universe.currencies[universe.column(ticker)] for ticker in tickers} - {currency}
    pairs = pairs_of(universe.tickers, foreign, currency) if currency and foreign else []
    return list(dict.fromkeys([*tickers, *pairs]))


def the_currency(own: Mapping[str, str]) -> str:
    """Return the one currency of all positions, from that of each ticker. Raises UserError if there are several."""
    by_currency = {code: ticker for ticker, code in own.items()}
    if len(by_currency) > 1:
        several = ", ".join(f"{code} ({ticker})" for code, ticker in by_currency.items())
        raise UserError(
            f"the positions are in several currencies, {several}: name the book's (--currency, or the field currency)"
        )
    return next(iter(by_currency))


def pairs_of(tickers: Iterable[str], codes: Iterable[str], base: str) -> list[str]:
    """Return those of `tickers` that are the pair of one of the currencies `codes` and `base`, either way round."""
    currency_pairs = {pair for code in codes for pair in ((code, base), (base, code))}
    return [ticker for ticker in tickers if currency_pair(ticker) in currency_pairs]


def _pair(universe: Universe, code: str, base: str, example: str) -> tuple[int, int]:
    """Return the column of the pair of `code` and `base`, and 1, or -1 if it is the price of `base` in `code`."""
    for ticker in pairs_of(universe.tickers, [code], base):
        return universe.columns[ticker], 1 if currency_pair(ticker) == (code, base) else -1
    raise UserError(
        f"{example} is in {code} and the book in {base}: without the pair {code}{base}=X in this home it cannot be "
        f"converted; `zenith run --tickers {code}{base}=X` fetches it"
    )


def _converted(moves: AnyFloats, own: Sequence[str], places: Mapping[str, tuple[int, int]]) -> AnyFloats:
    """Return the log returns of the positions in the book's currency, from those of positions and pairs."""
    own_moves = moves[:, : len(own)]
    for number, code in enumerate(own):
        if code in places:
            column, sign = places[code]
            own_moves[:, number] += sign * moves[:, column]
    return own_moves
