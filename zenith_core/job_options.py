"""The options of the jobs, declared once for Dagster, the REST service and the command line."""

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from zenith_core.model_kinds.configuration import problem_of
from zenith_core.model_kinds.table import KINDS
from zenith_core.names import KEEP_LATEST, MAX_EPOCHS

if TYPE_CHECKING:
    ModelType = str
else:
    ModelType = Literal[(*KINDS, "all")]


class JobOptions(BaseModel):
    """The options of a job that takes none."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TrainingOptions(JobOptions):
    """Options of a ticker's retraining."""

    epochs: int | None = Field(
        default=None, ge=1, le=MAX_EPOCHS, description="Training epochs of the networks; their default if left out."
    )
    model_type: ModelType = Field(default="all", description="The models to train; the others keep their last version.")
    models: dict[str, dict[str, Any]] = Field(
        default={},
        description='Configuration by kind of model, such as `{"lstm": {"units": 32}}`; the defaults if left out.',
    )

    @model_validator(mode="after")
    def _refuse_a_wrong_configuration(self) -> Self:
        problem = problem_of(self.models)
        if not problem and self.model_type != "all" and (others := set(self.models) - {self.model_type}):
            problem = f"{min(others)} is configured, but model_type {self.model_type} does not train it"
        if problem:
            raise PydanticCustomError("models", "{problem}", {"problem": problem})
        return self


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
