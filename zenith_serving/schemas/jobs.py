"""Requests to launch runs, and responses about runs."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from zenith_core.asset_selection import ALL
from zenith_core.job_options import TickerTrainingOptions
from zenith_core.model_kinds.table import kinds_with
from zenith_serving.schemas.base import Request, Response, Ticker

RunStatus = Literal["queued", "starting", "running", "succeeded", "failed", "canceling", "canceled"]


class TrainRequest(Request, TickerTrainingOptions):
    """Train a ticker's models."""

    ticker: Ticker

    @model_validator(mode="after")
    def _reject_epochs_of_others(self) -> "TrainRequest":
        if self.epochs is not None and self.model_type != ALL and self.model_type not in kinds_with("epochs"):
            networks = " and the ".join(kinds_with("epochs"))
            raise PydanticCustomError(
                "epochs", f"epochs apply to the {networks} only: omit them for the {self.model_type}"
            )
        return self


class JobRequest(Request):
    """The ticker and config of a job."""

    ticker: Ticker | None = Field(default=None, description="For refresh_prices and evaluate_model.")
    config: dict[str, Any] = Field(default={}, description="The config of the job; docs/rest-api.md lists the fields.")


class Launched(Response):
    """The launched run, or the active run that does the same."""

    run_id: str
    status: RunStatus
    status_url: str = Field(description="Path of the run's status.")
    url: str = Field(description="Its page in the Dagster UI.")
    already_running: bool = Field(description="True if an active run does the same, so none was launched.")


class Run(Response):
    """The state of a run."""

    run_id: str
    job: str
    ticker: str | None
    model_type: str | None = Field(description="The kind of model it trains, `all` for several; null if none.")
    status: RunStatus
    started_at: datetime | None
    ended_at: datetime | None
    url: str = Field(description="Its page in the Dagster UI.")
    error: str | None = Field(description="The reason for its failure, in one line.")
    figures: dict[str, dict[str, float | bool]] | None = Field(
        default=None,  # services of 0.1.0 do not send it
        description="Of a run that succeeded: the numbers it recorded, by asset or op, as in the Dagster UI.",
    )
    note: str | None = Field(
        description="The obstacle that keeps it from starting, if it needs your action; or the reason for which it "
        "skipped its ticker, such as too short a history."
    )
