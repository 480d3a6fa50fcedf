"""Requests and responses about several tickers together: a book's risk, and rank probabilities."""

from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from zenith_core.names import HORIZONS
from zenith_serving.schemas.base import Finite, Request, Response, Ticker

TAILS = (0.05, 0.025, 0.01)
MAX_POSITIONS = 1_000
MAX_GROUP = 100
_MAX_AMOUNT = 1e15

Amount = Annotated[float, Field(ge=-_MAX_AMOUNT, le=_MAX_AMOUNT, allow_inf_nan=False)]
Horizon = Annotated[int, Field(ge=1, le=HORIZONS, description="Sessions ahead.")]


_ONE_AMOUNT: JsonDict = {
    "oneOf": [
        {"required": [there], "properties": {there: {"type": "number"}, other: {"type": "null"}}}
        for there, other in (("quantity", "value"), ("value", "quantity"))
    ]
}


class Position(Request):
    """A position: a number of shares, or a value. Negative for a short one."""

    model_config = ConfigDict(json_schema_extra=_ONE_AMOUNT)

    ticker: Ticker
    quantity: Amount | None = Field(default=None, description="Number of shares.")
    value: Amount | None = Field(default=None, description="Value in the book's currency.")

    @model_validator(mode="after")
    def _needs_one_amount(self) -> Self:
        if (self.quantity is None) == (self.value is None):
            raise PydanticCustomError("position", "a position needs one of quantity and value")
        return self


def _no_ticker_twice(positions: list[Position]) -> list[Position]:
    if len({position.ticker for position in positions}) < len(positions):
        raise PydanticCustomError("positions", "a ticker is there twice: add the two up")
    return positions


class BookRequest(Request):
    """Request the risk of a book."""

    positions: Annotated[list[Position], AfterValidator(_no_ticker_twice)] = Field(
        min_length=1, max_length=MAX_POSITIONS
    )
    cash: Amount = Field(default=0.0, description="In the book's currency; a debt if negative.")
    currency: str | None = Field(
        default=None,
        pattern="^[A-Z]{3}$",
        description="The book's currency. May be left out if all positions have the same.",
        examples=["USD"],
    )
    horizon: Horizon = 5
    tails: list[Annotated[float, Field(ge=0.001, le=0.5)]] = Field(
        default=list(TAILS), min_length=1, max_length=10, description="Probabilities of a loss above the value at risk."
    )


class BookTail(Response):
    """The losses of one tail, positive, in the book's currency."""

    tail: Finite
    value_at_risk: Finite = Field(description="The loss that is exceeded with probability `tail`.")
    expected_shortfall: Finite = Field(description="Mean loss in these cases.")


class PositionRisk(Response):
    """One position. Its parts may be negative, for a hedge."""

    ticker: str
    value: Finite = Field(description="In the book's currency.")
    volatility: Finite = Field(description="Standard deviation of its own gain.")
    volatility_contribution: Finite = Field(description="Its part of the book's volatility; the parts add up.")
    shortfall_contributions: list[Finite] = Field(
        description="Its parts of the expected shortfalls, in the order of `tails`; each adds up over the positions."
    )
    scale: Literal["bands", "closes"] = Field(description="The served distribution, or an estimate from closes alone.")
    data_version: str = Field(description="Of the cleaned prices behind it.")


class BookScenario(Response):
    """A loss if past sessions came again, at the volatility of today."""

    since: date = Field(description="The session before them.")
    until: date = Field(description="The last of them.")
    loss: Finite
    missing: int = Field(description="Positions without prices then, which count as unmoved.")


class BookAnswer(Response):
    """The risk of a book over the next sessions. Amounts are in `currency`, losses positive."""

    as_of: date = Field(description="The last session in the forecast of all tickers.")
    horizon: int
    currency: str
    value: Finite = Field(description="Of all positions and the cash.")
    gross: Finite = Field(description="Sum of the positions' absolute values.")
    cash: Finite
    volatility: Finite = Field(description="Standard deviation of the book's gain over the horizon.")
    diversification: Finite | None = Field(
        description="Share of the positions' own volatilities that does not reach the book; null if nothing moves."
    )
    independent_bets: Finite = Field(description="How many uncorrelated tickers would vary as much together.")
    tails: list[BookTail] = Field(description="In the order of the request.")
    positions: list[PositionRisk] = Field(description="In the order of the request.")
    scenarios: list[BookScenario] = Field(description="The worst ones that do not overlap, the worst first.")
    stale: bool = Field(description="More than 5 sessions of a position have begun since its last data.")
    universe_version: str = Field(description="Of the forecast of all tickers: a hash of their data versions.")
    timestamp: datetime = Field(description="When the answer was computed.")
    disclaimer: str


class RankRequest(Request):
    """Request the rank probabilities of a group of tickers among one another."""

    tickers: list[Ticker] = Field(min_length=2, max_length=MAX_GROUP, description="Repeated ones count once.")
    horizon: Horizon = 20


class TickerRanks(Response):
    """Rank probabilities of one ticker's return."""

    ticker: str
    fifths: list[Finite] = Field(description="Probabilities of the lowest fifth to the highest; 0.2 each say nothing.")
    first: Finite = Field(description="Probability of the highest return.")
    last: Finite = Field(description="Probability of the lowest return.")
    beats: list[Finite] | None = Field(
        default=None, description="Probabilities to have a higher return than each ticker of `ranks`; of groups only."
    )
    correlations: list[Finite] | None = Field(
        default=None, description="Expected correlations with each ticker of `ranks`; of groups only."
    )


class UniverseRecord(Response):
    """The scores of past forecasts of all tickers that are due, beside equal probabilities."""

    outcomes: int
    rps: Finite = Field(description="Mean ranked probability score; smaller is better.")
    rps_equal: Finite = Field(description="That of equal probabilities.")
    gain: Finite = Field(description="`rps_equal` - `rps`: above 0 is better than equal probabilities.")
    standard_error: Finite | None = Field(description="Of the gain, from as many outcomes as do not overlap.")
    tail: Finite
    hits: int = Field(description="Losses of the equal-weight book above its value at risk.")
    expected_hits: Finite
    since: date = Field(description="The first forecast origin.")
    until: date = Field(description="The last one.")


class RankTable(Response):
    """Rank probabilities of all tickers, or of a group, among one another. Returns are in each ticker's currency."""

    as_of: date = Field(description="The last session in the forecast of all tickers.")
    horizon: int
    tickers: int = Field(description="How many are ranked among one another.")
    independent_bets: Finite = Field(description="How many uncorrelated tickers would vary as much together.")
    ranks: list[TickerRanks]
    left_out: dict[str, str] = Field(description="Tickers with prices that are not ranked, and the reason.")
    record: UniverseRecord | None = Field(default=None, description="Null for a group, and if nothing is due yet.")
    next: str | None = Field(default=None, description="`after` of the next page; null on the last one.")
    universe_version: str
    disclaimer: str
