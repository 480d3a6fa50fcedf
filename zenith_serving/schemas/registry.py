"""Responses about model versions, decisions and the track record."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from zenith_core.model_kinds.table import Kind
from zenith_serving.schemas.base import Evidence, Finite, Response

Status = Literal["production", "candidate", "archived"]
Action = Literal["promoted", "forced", "refused", "unchanged", "rolled_back"]
Decision = Literal["promoted", "forced", "refused", "unchanged", "restored", "rolled_back"]


class Forecast(Response):
    """A forecast as it was served, beside the actual close."""

    origin: date = Field(description="The last session in the data.")
    horizon: int = Field(description="Sessions after `origin`.")
    target_date: date
    made_at: datetime
    close: Finite = Field(description="Adjusted close at `origin`, as it was then.")
    forecast: Finite
    lower: Finite = Field(description="Lower end of the 90 % interval.")
    upper: Finite
    actual: Finite | None = Field(description="The close at `target_date`, in the units of `close`; null until then.")
    model_type: str | None = Field(default=None, description="The kind of model; null until the next refresh.")
    model_version: str
    in_the_open: bool = Field(description="Made before `target_date`. Only such forecasts count in `summary`.")


class HorizonRecord(Response):
    """Scores of the matured forecasts of one horizon; null if there are none."""

    matured: int = Field(description="Forecasts made in the open whose `target_date` has passed.")
    coverage: Finite | None = Field(description="Share of them within their 90 % interval.")
    mae: Finite | None = Field(description="Mean absolute error as a fraction of the close at the origin.")
    mae_naive: Finite | None = Field(description="The same for the forecast that the price stays.")


class TrackRecord(Response):
    """Served forecasts beside the actual closes."""

    ticker: str
    forecasts: list[Forecast] = Field(description="The last 250 origins, oldest first, 1, 5 and 20 sessions ahead.")
    summary: dict[str, HorizonRecord] = Field(description="By horizon in sessions, over all origins.")
    evidence: dict[str, Evidence] = Field(
        default={}, description="By horizon in sessions; empty until a refresh if the ledger is of an earlier release."
    )
    signal_evidence: dict[str, Evidence] = Field(default={}, description="The same of signals: of their direction.")


class ServedForecast(Response):
    """A forecast as it was served, with its signal; null where a part is not kept."""

    made_at: datetime
    origin: date = Field(description="The last session in the data.")
    close: Finite = Field(description="Adjusted close at `origin`, as it was then.")
    forecast: Finite
    lower: Finite = Field(description="Lower end of the 90 % interval.")
    upper: Finite
    version: int = Field(description="Of the price model.")
    volatility: Finite | None = Field(description="Of a day, at `origin`.")
    signal: str | None
    probability: Finite | None
    reason: str | None = Field(description="As `reason_code` of a signal.")
    signal_version: int | None
    scale_version: str | None = Field(description="Of the scale behind the interval.")


class Change(Response):
    """A difference between two forecasts."""

    topic: str = Field(description="`prices`, `version`, `forecast`, `band`, `risk`, `signal` or `gate`.")
    code: str = Field(description="Names the sentence.")
    figures: dict[str, Any] = Field(description="Its figures.")
    says: str = Field(description="The sentence.")


class Explanation(Response):
    """The differences between a ticker's newest forecast and an earlier one."""

    ticker: str
    horizon: int = Field(description="Sessions ahead.")
    now: ServedForecast
    before: ServedForecast | None = Field(description="Null if `now` is the first forecast.")
    changes: list[Change]


class ModelVersion(Response):
    """A version of a model in MLflow."""

    name: str
    ticker: str
    model_type: Kind
    version: str
    status: Status = Field(description="`production` is served; `candidate` is the newest; all others are `archived`.")
    created_at: datetime
    data_end: date | None = Field(description="The last session in its training data.")
    data_version: str | None
    feature_spec: str | None
    code_version: str | None
    libraries: str | None
    trials: int | None = Field(description="Backtests of this ticker and kind so far, its own included.")
    leakage: str | None = Field(description="The leakage certificate, as text.")
    beats_naive: bool | None = Field(description="Better than the naive forecast out of sample, and not by chance.")
    evidence: Evidence | None = Field(default=None, description="As it is now, of the version that answers its task.")
    metrics: dict[str, Any] = Field(description="Out of sample: name of the loss, its value, the naive forecast's, …")
    decision: Decision | None = Field(
        description="The last decision about it, explained by the next three fields. A rollback took a version that is "
        "`rolled_back` out of Production, and put one that is `restored` back."
    )
    reason: str | None
    decided_at: datetime | None
    decided_by: str | None


class Models(Response):
    """Model versions."""

    models: list[ModelVersion] = Field(description="By ticker and kind, newest version first.")
    next: str | None = Field(default=None, description="`after` of the next page; null on the last one.")


class Gate(Response):
    """A promotion gate and its result."""

    name: str
    passed: bool
    detail: str
    figures: dict[str, Any]


class Event(Response):
    """A decision about a version."""

    at: datetime
    model_type: Kind
    version: str
    action: Action = Field(
        description="`unchanged`: identical to the version in Production. `rolled_back`: this version was restored."
    )
    previous: str | None = Field(description="The Production version before the decision.")
    by: str = Field(description="A schedule, a sensor, a key of this API, or user@host.")
    reason: str
    gates: list[Gate]


class History(Response):
    """Every decision about a ticker's models."""

    ticker: str
    events: list[Event] = Field(description="Newest first.")


class Deflated(Response):
    """The newest backtest of a kind, as one of the trials of all tickers and kinds."""

    version: str = Field(description="Of the model that traded.", coerce_numbers_to_str=True)
    sharpe: Finite = Field(description="Annual, out of sample, after costs.")
    deflated_sharpe: Finite | None = Field(
        description="Probability that the true ratio is above the expected best of all trials without skill."
    )


class Trials(Response):
    """All backtests that were ever made, of all tickers and kinds."""

    trials: int
    correlation: Finite = Field(description="The mean one of two backtests' monthly returns, at least 0.")
    independent: Finite = Field(description="Independent trials: correlation + (1 - correlation) * trials.")
    expected_best: Finite = Field(description="Annual Sharpe ratio of the best of them without skill.")


class Contender(Response):
    """A model on a leaderboard; figures are null where a `note` says why it was not compared."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    model_type: Kind
    version: str | None = Field(description="The version in Production.")
    data_end: date | None = Field(description="The last session in its training data.")
    answers: bool = Field(description="The model that answers the task, as `ZENITH_ANSWERS` says.")
    own_rows: int = Field(description="Its own forecasts with a known outcome.")
    value: Finite | None = Field(description="The loss on the common rows.")
    naive: Finite | None = Field(description="The loss of the naive forecast on the same rows.")
    skill: Finite | None = Field(description="Against the naive forecast.")
    p_value: Finite | None = Field(description="That it is no better than the naive forecast; Diebold-Mariano.")
    beats_naive: bool | None = Field(description="Better than the naive forecast, and not by chance.")
    evidence: Evidence | None = Field(default=None, description="As it is now, of the model that answers.")
    coverage: Finite | None = Field(description="Share of prices inside the 90 % band; null for signals.")
    ece: Finite | None = Field(description="Calibration error of the most probable class; null for prices.")
    p_value_answering: Finite | None = Field(description="That it is no better than the model that answers.")
    train_cpu_seconds: Finite | None = Field(description="Of its training; null for older versions.")
    backtest: Deflated | None = Field(default=None, description="Its newest backtest among those of all tickers.")
    note: str | None


class TaskLeaderboard(Response):
    """All kinds of model of a task on the rows that they have in common."""

    answering: Kind
    loss: str = Field(description="`mae`, as a fraction of the close, or `brier`.")
    horizon: int | None = Field(description="Sessions ahead of the forecasts that are scored.")
    rows: int = Field(description="The common rows.")
    models: list[Contender] = Field(description="The smallest loss first.")


class Leaderboard(Response):
    """The kinds of model that a ticker has, by task."""

    ticker: str
    tasks: dict[str, TaskLeaderboard]
    trials: Trials | None = Field(default=None, description="Those that each `backtest` is one of.")
