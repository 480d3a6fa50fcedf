"""What the registry, the ledger and training answer over REST, and what is asked of them."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from zenith_core.names import Kind
from zenith_serving.schemas.predictions import Finite

Status = Literal["production", "candidate", "archived"]
Action = Literal["promoted", "forced", "refused", "rolled_back"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Forecast(_Answer):
    """A forecast as it was made, beside what came."""

    origin: date = Field(description="The last session that was known.")
    horizon: int = Field(description="Sessions after `origin`.")
    target_date: date
    made_at: datetime
    close: Finite = Field(description="Adjusted close at `origin`, as it was then.")
    forecast: Finite
    lower: Finite = Field(description="Lower end of the 90 % interval.")
    upper: Finite
    actual: Finite | None = Field(description="The close at `target_date`, in the units of `close`; null until then.")
    model_version: str
    in_the_open: bool = Field(description="Made before the day it is for. Only such ones are summed up.")


class HorizonRecord(_Answer):
    """How the matured forecasts of one horizon did. Figures of nothing are null."""

    matured: int = Field(description="Forecasts made in the open whose day has come.")
    coverage: Finite | None = Field(description="Share of them within their 90 % interval.")
    mae: Finite | None = Field(description="Mean absolute error, a fraction of the close at the origin.")
    mae_naive: Finite | None = Field(description="The same of forecasting that the price stays.")


class TrackRecord(_Answer):
    """Served forecasts against what came."""

    ticker: str
    forecasts: list[Forecast] = Field(description="Of the last 250 origins, oldest first, 1, 5 and 20 sessions ahead.")
    summary: dict[str, HorizonRecord] = Field(description="By horizon in sessions, over all origins.")


class ModelVersion(_Answer):
    """A version of a model in MLflow."""

    name: str
    ticker: str
    model_type: Kind
    version: str
    status: Status = Field(description="`production` answers; `candidate` is the newest; `archived` is any other.")
    created_at: datetime
    data_end: date | None = Field(description="The last session that it was trained on.")
    data_version: str | None
    feature_spec: str | None
    code_version: str | None
    libraries: str | None
    trials: int | None = Field(description="Backtests of this ticker and kind that came before, its own included.")
    leakage: str | None = Field(description="The leakage certificate in words.")
    beats_naive: bool | None = Field(description="Better than the naive forecast out of sample, and not by luck.")
    metrics: dict[str, Any] = Field(description="Out of sample: the name of the loss, its value, the naive one's, …")
    decision: Action | None = Field(description="The last decision about it, and then why, when and by whom.")
    reason: str | None
    decided_at: datetime | None
    decided_by: str | None


class Models(_Answer):
    """Model versions."""

    models: list[ModelVersion] = Field(description="By ticker and kind, newest version first.")


class Gate(_Answer):
    """A condition of promotion, and how a version met it."""

    name: str
    passed: bool
    detail: str
    figures: dict[str, Any]


class Event(_Answer):
    """A decision about a version."""

    at: datetime
    model_type: Kind
    version: str
    action: Action
    previous: str | None = Field(description="The version in Production before it.")
    by: str = Field(description="user@host")
    reason: str
    gates: list[Gate]


class History(_Answer):
    """Every decision about a ticker's models."""

    ticker: str
    events: list[Event] = Field(description="Newest first.")
