"""What can be launched over REST, and what is told of runs."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from zenith_serving.schemas.predictions import Ticker

ModelType = Literal["lstm", "ensemble", "all"]
RunStatus = Literal["queued", "starting", "running", "succeeded", "failed", "canceling", "canceled"]


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class TrainRequest(_Request):
    """Train a ticker's models anew."""

    ticker: Ticker
    model_type: ModelType = Field(default="all", description="The other model stays as it was last trained.")
    epochs: int | None = Field(default=None, ge=10, le=500, description="Passes of the LSTM; its default if left out.")

    @model_validator(mode="after")
    def _epochs_of_what(self) -> "TrainRequest":
        if self.model_type == "ensemble" and self.epochs is not None:
            raise PydanticCustomError("epochs", "epochs are the lstm's: leave them out for the ensemble")
        return self


class JobRequest(_Request):
    """What a job is to be about."""

    ticker: Ticker | None = Field(default=None, description="For refresh_prices and evaluate_model.")
    config: dict[str, Any] = Field(default={}, description="What the job takes, as docs/rest-api.md lists it.")


class Launched(_Answer):
    """A run that was launched, or one under way that does the same."""

    run_id: str
    status: RunStatus
    status_url: str = Field(description="Where to ask how it goes.")
    url: str = Field(description="Its page in the Dagster UI.")
    already_running: bool = Field(description="It was under way before, and no other was launched.")


class Run(_Answer):
    """How a run goes."""

    run_id: str
    job: str
    ticker: str | None
    model_type: ModelType | None = Field(description="What it trains, if it trains.")
    status: RunStatus
    started_at: datetime | None
    ended_at: datetime | None
    url: str = Field(description="Its page in the Dagster UI.")
    error: str | None = Field(description="Why it failed, in one line.")
    note: str | None = Field(description="What it waits for, if that will not come by itself.")
