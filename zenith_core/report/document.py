"""The fields of the report's document."""

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from zenith_core.model_kinds.table import Kind
from zenith_core.model_kinds.tasks import Task

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Part(BaseModel):
    """A part of the document."""

    model_config = ConfigDict(frozen=True)


class Claim(Part):
    """Evidence that the ticker's served forecasts are better than the naive one, as it is now."""

    horizon: int = Field(description="Sessions ahead of the forecasts.")
    e_value: Finite = Field(description="Odds against luck, valid however often one looks; 1 without outcomes.")
    since: date | None = Field(description="The first origin that counts; null without outcomes.")
    required: Finite = Field(description="The `e_value` that a claim asks for, among all tickers at this horizon.")
    discovered: bool = Field(description="The claim is made.")
    says: str = Field(description="All this in one sentence.")


class Verdict(Part):
    """A verdict on one subject, as a code."""

    subject: str = Field(description="`price`, `band`, `signal`, `backtest` or `leakage`.")
    model_type: Kind | None = Field(default=None, description="The kind of model, of a backtest.")
    code: str = Field(description="`better`, `no_better`, `kept`, `never_traded`, …")
    good: bool = Field(description="The verdict favours the model; of prices and signals, the evidence makes a claim.")
    evidence: Claim | None = Field(default=None, description="Of prices and signals.")


class ForecastPoint(Part):
    """The forecast for one session."""

    day: int = Field(description="Sessions after `as_of`.")
    date: date
    price: Finite
    change_pct: Finite = Field(description="Change from `close`, in per cent.")
    lower: Finite
    upper: Finite


class LatestPrices(Part):
    """The forecast of the next sessions."""

    model_type: Kind
    model_version: int | None = Field(description="Null for a band that needs no model.")
    confidence: Finite = Field(description="The level of the interval from `lower` to `upper`.")
    predictions: list[ForecastPoint]


class LatestSignal(Part):
    """The signal at `as_of`."""

    model_type: Kind
    model_version: int | None = Field(description="Null without a model.")
    signal: str = Field(description="`buy`, `hold` or `sell`.")
    reason_code: str
    probabilities: dict[str, Finite] | None = Field(description="By signal; null without a model.")


class ModelEvidence(Part):
    """A model with its walk-forward evidence."""

    model_type: Kind
    task: str
    version: int
    answers: bool = Field(description="It answers its task.")
    horizon: int = Field(description="Sessions ahead of its headline figures.")
    metrics: dict[str, Any] = Field(description="Out of sample, beside the naive forecast's.")
    config: dict[str, Any] = Field(description="The options of its training.")
    folds: list[dict[str, Any]] = Field(description="The walk-forward folds; the last one trained the model itself.")
    importances: dict[str, Finite] = Field(description="Of the inputs of a signal model.")
    lineage: dict[str, str | None] = Field(description="The origins of the version.")


class Trade(Part):
    """A trade on paper. A negative quantity is a short sale."""

    entry_date: date
    entry_price: Finite
    exit_date: date | None = Field(description="Null while it is open.")
    exit_price: Finite | None
    quantity: Finite
    costs: Finite
    pnl: Finite = Field(description="Profit or loss, after costs.")


class TradingEvidence(Part):
    """A backtest on walk-forward signals, after costs."""

    model_version: int
    stats: dict[str, dict[str, Any]] = Field(description="Of `strategy` and of `buy_and_hold`.")
    config: dict[str, Any] = Field(description="The rules of trading.")
    trades: list[Trade] = Field(default=[], description="The last ones, newest first; none in older data.")


class TailLoss(Part):
    """The loss in one tail, as a share of `close`."""

    tail: Finite
    value_at_risk: Finite
    expected_shortfall: Finite


class Touch(Part):
    """The probability that a level is touched."""

    pct: Finite = Field(description="Its distance from `close`, in per cent.")
    price: Finite
    probability: Finite
    limit: str | None = Field(description="`at_most` or `at_least` where the data do not reach so far.")


class Risk(Part):
    """The risk over one horizon."""

    horizon: int
    annual_volatility: Finite
    tails: list[TailLoss]
    touch: list[Touch]


class Standing(Part):
    """The ticker among all tickers over one horizon, and in a book of them with equal weights."""

    horizon: int
    fifths: list[Finite] = Field(description="Probabilities of the lowest fifth of returns to the highest.")
    first: Finite = Field(description="Probability of the highest return of all.")
    last: Finite = Field(description="Probability of the lowest one.")
    correlation: Finite = Field(description="With the book; 0 for a price that stands still.")
    share: Finite = Field(description="Its part of the book's volatility. The parts add up to 1.")
    volatility: Finite = Field(description="Of the book's return.")
    tail: Finite
    value_at_risk: Finite = Field(description="Of the book, as a share of its value.")
    expected_shortfall: Finite = Field(description="Likewise.")
    record: dict[str, Any] | None = Field(description="Of past ranks and book risk, scored; null before any is due.")


class AmongAll(Part):
    """The ticker among all tickers of the home, each in its own currency."""

    as_of: date
    tickers: int
    independent_bets: Finite = Field(description="How many uncorrelated tickers would vary as much together.")
    horizons: list[Standing]


class Report(Part):
    """The evidence for and against the models of a ticker."""

    ticker: str
    as_of: date
    close: Finite
    currency: str
    listing: dict[str, str]
    data_version: str
    age_sessions: int | None = Field(default=None, description="Sessions begun since `as_of`, when it was served.")
    stale: bool | None = Field(default=None, description="More than 5 sessions have begun since `as_of`.")
    verdicts: list[Verdict]
    forecast: LatestPrices | None = Field(default=None, description="Of the model that answers; null without one.")
    signal: LatestSignal | None = Field(default=None, description="Likewise.")
    band: dict[str, Any] = Field(description="The figures of the bands that are served, by horizon too.")
    scale_version: str | None = Field(description="Of the scale behind the bands; null if they are the price model's.")
    models: list[ModelEvidence] = Field(description="Those that answer first.")
    leaderboards: dict[Task, dict[str, Any]] = Field(
        default={}, description="By task, the models on the rows that they have in common."
    )
    backtests: dict[Kind, TradingEvidence]
    risk: list[Risk] = Field(default=[], description="At 1, 5 and 30 sessions; empty without a distribution.")
    risk_record: dict[str, Any] = Field(description="The record of value at risk and volatility; empty without one.")
    among_all: AmongAll | None = Field(default=None, description="Null without a forecast of several tickers together.")
    leakage: dict[str, Any] = Field(description="The leakage certificate of the features; empty without one.")
    disclaimer: str
