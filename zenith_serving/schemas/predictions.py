"""What goes in and out over REST. Input is strict: `"5"`, `true` and `5.0` are not integers."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from zenith_core.errors import InvalidTicker
from zenith_core.horizons import HORIZONS
from zenith_core.market.tickers import TICKER_PATTERN, validate_ticker


def _ticker(text: str) -> str:
    try:
        return validate_ticker(text)
    except InvalidTicker as error:
        raise PydanticCustomError("ticker", "{reason}", {"reason": str(error)}) from None


Ticker = Annotated[
    str,
    AfterValidator(_ticker),  # its message is better than that of a pattern, which is there for the OpenAPI document
    Field(examples=["AAPL", "PETR4.SA"], json_schema_extra={"pattern": TICKER_PATTERN}),
]
Signal = Literal["sell", "hold", "buy"]
Reason = Literal["model", "stale_data", "outside_training_range", "fails_baseline", "low_confidence"]
What = Literal["price", "signal", "comprehensive"]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class SignalRequest(_Request):
    """Ask for a trading signal."""

    ticker: Ticker
    use_cache: bool = Field(default=True, description="False computes the answer anew.")


class PriceRequest(SignalRequest):
    """Ask for a price forecast."""

    horizon: int = Field(default=5, ge=1, le=HORIZONS, description="Sessions ahead.")


def _each_once(tickers: list[str]) -> list[str]:
    if len(set(tickers)) < len(tickers):
        raise PydanticCustomError("tickers", "each ticker at most once")
    return tickers


class BatchRequest(_Request):
    """Ask the same of many tickers."""

    tickers: Annotated[list[Ticker], AfterValidator(_each_once), Field(min_length=1, max_length=200)]
    what: What = Field(default="comprehensive", description="Of each ticker.")
    horizon: int = Field(default=5, ge=1, le=HORIZONS, description="Sessions ahead.")
    use_cache: bool = Field(default=True, description="False computes the answers anew.")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Skill(_Answer):
    """What the model was worth out of sample, against its naive baseline: for prices, tomorrow equals today."""

    horizon: int | None = Field(description="The evaluated horizon nearest to the one asked for, in sessions.")
    beats_naive: bool | None = Field(description="Better than the baseline, and not by luck (p < 0.05).")
    p_value: Finite | None = Field(description="One-sided Diebold-Mariano test against the baseline.")
    mase: Finite | None = Field(description="Mean absolute error over the baseline's; below 1 is better. Prices only.")
    skill: Finite | None = Field(description="1 - loss / baseline's loss; above 0 is better.")


class ModelAnswer(_Answer):
    """What every prediction carries."""

    ticker: str
    model_type: Literal["lstm", "ensemble"]
    model_version: str = Field(description="The version in MLflow.")
    current_price: Finite = Field(description="Adjusted close at `as_of`.")
    as_of: date = Field(description="The last closed session in the data: the forecast's origin.")
    currency: str
    skill: Skill
    stale: bool = Field(description="More than 5 sessions have begun since `as_of`.")
    age_sessions: int = Field(description=f"Sessions begun since `as_of`, counted up to {HORIZONS}.")
    cached: bool
    timestamp: datetime = Field(description="When the answer was computed.")
    disclaimer: str


class PricePoint(_Answer):
    """The forecast for one session."""

    day: int = Field(description="Sessions after `as_of`.")
    date: date
    price: Finite
    change_pct: Finite = Field(description="Against `current_price`, in per cent.")
    lower: Finite = Field(description="Lower end of the interval whose level is `confidence`.")
    upper: Finite


class PriceAnswer(ModelAnswer):
    """A price forecast for each of the next sessions."""

    horizon: int
    predictions: list[PricePoint]
    confidence: Finite = Field(description="The level [lower, upper] aims at. Not the chance that `price` is right.")
    coverage: Finite | None = Field(description="The share of such intervals that held what came, out of sample.")


class Probabilities(_Answer):
    """They add up to 1."""

    sell: Finite
    hold: Finite
    buy: Finite


class SignalAnswer(ModelAnswer):
    """Buy or sell if the model has reason to say so, else hold."""

    signal: Signal
    likeliest: Signal = Field(description="The most probable class, whether or not the model stands by it.")
    confidence: Finite = Field(description="The probability of `signal`.")
    probabilities: Probabilities
    reason_code: Reason = Field(description="`model` if the model chose `signal`, else why it abstains.")
    reason: str


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Names the kind of problem; stable.")
    title: str
    status: int
    detail: str


class ComprehensiveAnswer(_Answer):
    """Both predictions. A part that could not be made is null, and `problems` says why."""

    ticker: str
    price: PriceAnswer | None
    signal: SignalAnswer | None
    problems: dict[Literal["price", "signal"], Problem]


class BatchResult(_Answer):
    """What became of one ticker: either is null."""

    ticker: str
    prediction: PriceAnswer | SignalAnswer | ComprehensiveAnswer | None
    problem: Problem | None


class BatchAnswer(_Answer):
    """One result for each ticker, in the order asked."""

    what: What
    results: list[BatchResult]


class CacheStats(_Answer):
    """What is kept, and how often it was of use."""

    kind: Literal["in-process", "redis"]
    state: str = Field(description="`ok`, or what is wrong.")
    entries: int
    hits: int
    misses: int
    ttl: int = Field(description="Seconds that an answer is kept.")
    scope: Literal["this process", "all processes"] = Field(description="Whose figures these are.")


class Forgotten(_Answer):
    """Whose cached answers were forgotten."""

    ticker: str | None = Field(description="Null for all tickers.")
    scope: Literal["this process", "all processes"]


class Refreshed(_Answer):
    """What the registry has in Production, and what of it is in memory."""

    production: int
    loaded: int
    loaded_mb: int = Field(description="About how many MB they take.")
    problems: dict[str, str] = Field(description="By model: why its version in Production cannot be served.")


class Disclaimer(_Answer):
    """What a prediction is not."""

    disclaimer: str


class Health(_Answer):
    """The state of the service and of what it depends on."""

    status: Literal["ok", "degraded"]
    live: bool = True
    ready: bool = Field(description="Whether there is a ticker to answer for.")
    registry: dict[str, Any]
    models: dict[str, Any]
    cache: dict[str, Any]
    snapshots: dict[str, Any]
