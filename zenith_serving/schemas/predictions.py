"""Prediction requests and responses, and those of the cache and the service's state."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from zenith_core.model_kinds.table import Kind
from zenith_core.names import HORIZONS
from zenith_serving.schemas.base import Answer, Evidence, Finite, Request, Response, Ticker
from zenith_serving.schemas.risk import RiskAnswer

Signal = Literal["sell", "hold", "buy"]
Reason = Literal[
    "model", "stale_data", "outside_training_range", "fails_baseline", "not_discovered", "low_confidence", "no_model"
]
PredictionType = Literal["price", "signal", "risk", "comprehensive"]

MAX_QUANTILES = 20


_SIGNAL_HORIZON = Field(
    default=None,
    ge=1,
    le=HORIZONS,
    description="Sessions ahead of the signal, refused if no model in use has them. Default: as the answering one has.",
)


class TickerRequest(Request):
    """Fields of every request about one ticker."""

    ticker: Ticker
    use_cache: bool = Field(default=True, description="False computes the answer again.")


class SignalRequest(TickerRequest):
    """Request a trading signal."""

    horizon: int | None = _SIGNAL_HORIZON


class PriceRequest(TickerRequest):
    """Request a price forecast."""

    horizon: int = Field(default=5, ge=1, le=HORIZONS, description="Sessions ahead.")
    quantiles: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        default=[],
        max_length=MAX_QUANTILES,
        description="Levels such as 0.01 and 0.99 whose prices to add, from the distribution of the data.",
    )


class ComprehensiveRequest(PriceRequest):
    """Request prices, signal and risk."""

    signal_horizon: int | None = _SIGNAL_HORIZON


def _require_unique(tickers: list[str]) -> list[str]:
    if len(set(tickers)) < len(tickers):
        raise PydanticCustomError("tickers", "each ticker at most once")
    return tickers


class BatchRequest(Request):
    """Request the same prediction for many tickers."""

    tickers: Annotated[list[Ticker], AfterValidator(_require_unique), Field(min_length=1, max_length=200)]
    what: PredictionType = Field(default="comprehensive", description="The prediction of each ticker.")
    horizon: int = Field(default=5, ge=1, le=HORIZONS, description="Sessions ahead.")
    signal_horizon: int | None = _SIGNAL_HORIZON
    use_cache: bool = Field(default=True, description="False computes the answers again.")


class Skill(Response):
    """The model's out-of-sample skill against its naive baseline; for prices: tomorrow equals today."""

    horizon: int | None = Field(description="The evaluated horizon nearest to the requested one, in sessions.")
    beats_naive: bool | None = Field(description="Better than the baseline, and not by chance (p < 0.05).")
    p_value: Finite | None = Field(description="One-sided Diebold-Mariano test against the baseline.")
    mase: Finite | None = Field(description="Mean absolute error over the baseline's; below 1 is better. Prices only.")
    skill: Finite | None = Field(description="1 - loss / baseline's loss; above 0 is better.")


class AnswerEvidence(Evidence):
    """Evidence for the forecasts of this ticker that were served."""

    horizon: int = Field(description="Sessions ahead of the forecasts whose evidence this is: 1, 5 or 20 for prices.")


class ModelAnswer(Answer):
    """Fields of every prediction."""

    model_type: Kind = Field(description="The kind of model that answers.")
    model_version: str = Field(description="The version in MLflow; `none` if no model is trained yet.")
    model_data_end: date | None = Field(
        default=None, description="The last session in the model's training data; null without a model."
    )
    skill: Skill
    evidence: AnswerEvidence | None = Field(default=None, description="Null without a model.")
    scale_version: str | None = Field(
        default=None,
        description="Version of the scale model behind the intervals; null if they are the model's own, as for data of"
        " an earlier release.",
    )


class PricePoint(Response):
    """The forecast for one session."""

    day: int = Field(description="Sessions after `as_of`.")
    date: date
    price: Finite
    change_pct: Finite = Field(description="Change from `current_price`, in per cent.")
    lower: Finite = Field(
        description="Lower end of the interval at level `confidence`: by the scale of all tickers around"
        " `current_price`, or the model's own where the data have no distribution."
    )
    upper: Finite


class PriceQuantile(Response):
    """The prices that are not exceeded with one probability."""

    level: Finite = Field(description="The probability.")
    prices: list[Finite] = Field(description="One for each of `predictions`.")


class PriceAnswer(ModelAnswer):
    """A price forecast for each of the next sessions. Without a model, a band around the last close."""

    horizon: int
    predictions: list[PricePoint]
    confidence: Finite = Field(description="Nominal level of [lower, upper]. Not the chance that `price` is right.")
    coverage: Finite | None = Field(
        description="Share of such intervals that held the actual price, out of sample. Null without a record."
    )
    dates_estimated_after: date | None = Field(
        description="The end of the exchange's published calendar, if `predictions` go beyond it: later dates follow"
        " its usual week, without holidays."
    )
    quantiles: list[PriceQuantile] = Field(default=[], description="The levels of the request, in its order.")


class Probabilities(Response):
    """Class probabilities; they add up to 1."""

    sell: Finite
    hold: Finite
    buy: Finite


class SignalAnswer(ModelAnswer):
    """Buy or sell if the model has reason to and its signals are discovered, else hold.

    Without a model, hold and no probabilities.
    """

    horizon: int | None = Field(default=None, description="Sessions ahead of the signal; null without a model.")
    signal: Signal
    likeliest: Signal | None = Field(description="The most probable class, also if the model abstains.")
    confidence: Finite | None = Field(description="The probability of `signal`.")
    probabilities: Probabilities | None
    reason_code: Reason = Field(description="`model` if the model chose `signal`, else the reason why it abstains.")
    reason: str


class Problem(BaseModel):
    """An error as an RFC 9457 problem document."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Identifies the kind of problem; stable.")
    title: str
    status: int
    detail: str


class ComprehensiveAnswer(Response):
    """Price forecast and signal. If one fails, it is null and `problems` has the reason."""

    ticker: str
    price: PriceAnswer | None
    signal: SignalAnswer | None
    problems: dict[Literal["price", "signal"], Problem]
    risk: RiskAnswer | None = Field(
        default=None, description="The risk at the default tails. Null if `/predict/risk` has no answer either."
    )


class BatchResult(Response):
    """The result of one ticker: a prediction or a problem, the other is null."""

    ticker: str
    prediction: PriceAnswer | SignalAnswer | RiskAnswer | ComprehensiveAnswer | None
    problem: Problem | None


class BatchAnswer(Response):
    """One result for each ticker, in the order of the request."""

    what: PredictionType
    results: list[BatchResult]


class CacheStats(Response):
    """Size, hits and misses of the cache."""

    kind: Literal["in-process", "redis"]
    state: str = Field(description="`ok`, or the problem.")
    entries: int
    hits: int
    misses: int
    ttl: int = Field(description="Seconds that an answer is kept.")
    scope: Literal["this process", "all processes"] = Field(description="The processes that these figures count.")


class Forgotten(Response):
    """The cached answers that were deleted."""

    ticker: str | None = Field(description="Null for all tickers.")
    scope: Literal["this process", "all processes"]


class Refreshed(Response):
    """The models in Production, and those of them in memory."""

    production: int
    loaded: int
    loaded_mb: int = Field(description="Their approximate memory, in MB.")
    problems: dict[str, str] = Field(description="By model: why its Production version cannot be served.")


class Disclaimer(Response):
    """The disclaimer of every prediction."""

    disclaimer: str


class Health(Response):
    """The state of the service and its dependencies."""

    status: Literal["ok", "degraded"]
    live: bool = True
    ready: bool = Field(description="True if at least one ticker has data to predict from.")
    hint: str | None = Field(description="The command to type while there are no data or no models; else null.")
    registry: dict[str, Any]
    models: dict[str, Any]
    cache: dict[str, Any]
    snapshots: dict[str, Any]
