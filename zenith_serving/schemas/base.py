"""Base classes of requests and responses, and the types that several of them use."""

from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from zenith_core.errors import InvalidTicker
from zenith_core.market.tickers import TICKER_PATTERN, validate_ticker
from zenith_core.names import HORIZONS


class Request(BaseModel):
    """A request. Strict: `"5"`, `true` and `5.0` are not integers, and an unknown field is refused."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Response(BaseModel):
    """A response."""

    model_config = ConfigDict(frozen=True)


def _validate_ticker(text: str) -> str:
    try:
        return validate_ticker(text)
    except InvalidTicker as error:
        raise PydanticCustomError("ticker", "{reason}", {"reason": str(error)}) from None


Ticker = Annotated[
    str,
    AfterValidator(_validate_ticker),  # its message is clearer than a pattern's; the pattern is for OpenAPI alone
    Field(examples=["AAPL", "PETR4.SA"], json_schema_extra={"pattern": TICKER_PATTERN}),
]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Evidence(Response):
    """Evidence that served forecasts of one horizon are better than the naive forecast.

    Of prices, that the price stays; of signals, the frequency of past directions.
    """

    e_value: Finite = Field(description="Odds against luck, valid however often one looks; 1 without outcomes.")
    since: date | None = Field(description="The first origin that counts; null without outcomes.")
    required: Finite = Field(description="The `e_value` that a claim asks for, among all tickers at this horizon.")
    discovered: bool = Field(description="The claim is made; of all claims, at most 5 % are expected to be false.")
    says: str = Field(description="All this in one sentence.")


class Answer(Response):
    """Fields of every answer about a ticker."""

    ticker: str
    current_price: Finite = Field(description="Adjusted close at `as_of`.")
    as_of: date = Field(description="The last closed session in the data: the forecast origin.")
    currency: str
    stale: bool = Field(description="More than 5 sessions have begun since `as_of`.")
    age_sessions: int = Field(description=f"Sessions begun since `as_of`, counted up to {HORIZONS}.")
    cached: bool
    timestamp: datetime = Field(description="When the answer was computed.")
    disclaimer: str
