"""The options of the jobs, declared once for Dagster, the REST service and the command line."""

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from zenith_core.model_kinds.table import KINDS
from zenith_core.names import KEEP_LATEST, MAX_EPOCHS

if TYPE_CHECKING:
    ModelType = str
else:
    ModelType = Literal[(*KINDS, "all")]


class JobOptions(BaseModel):
    """The options of a job that takes none."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LSTMOptions(JobOptions):
    """Options of one LSTM training."""

    epochs: int | None = Field(
        default=None, ge=1, le=MAX_EPOCHS, description="Training epochs of the LSTM; its default if left out."
    )


class TrainingOptions(LSTMOptions):
    """Options of a ticker's retraining."""

    model_type: ModelType = Field(default="all", description="The models to train; the other keeps its last version.")


class TickerTrainingOptions(TrainingOptions):
    """Options of one ticker's retraining."""

    allow_earlier_end: bool = Field(
        default=False, description="Train and serve on data that end before those that are served now."
    )


class RetrainingOptions(TrainingOptions):
    """Options of a retraining of several tickers."""

    tickers: list[str] = Field(default=[], description="The tickers to retrain; all if empty.")


class EvaluationOptions(JobOptions):
    """Options of an evaluation of the models in Production."""

    model_type: ModelType = Field(default="all", description="The models to evaluate.")


class CleanUpOptions(JobOptions):
    """Versions to keep of each model, besides those that an alias names."""

    keep_latest_n: int = Field(default=KEEP_LATEST, ge=0, description="The number of newest versions to keep.")
    keep_best: bool = Field(default=True, description="Keep the version with the best out-of-sample loss.")
    dry_run: bool = Field(default=False, description="Delete nothing, and show what would be deleted.")
