"""The jobs that can be launched over REST, and what each takes. Whatever is not here cannot be launched."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zenith_core.errors import UserError
from zenith_serving.errors import UnknownJob
from zenith_serving.schemas.base import Ticker
from zenith_serving.schemas.jobs import JobRequest, ModelType


class Nothing(BaseModel):
    """A job without config."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Evaluation(Nothing):
    """Of evaluate_model."""

    model_type: ModelType = "all"


class Retraining(Evaluation):
    """Of retrain_all_models."""

    tickers: list[Ticker] = []
    epochs: int | None = Field(default=None, ge=1, le=500)


class CleanUp(Nothing):
    """Of cleanup_old_models."""

    keep_latest_n: int = Field(default=5, ge=0)
    keep_best: bool = True
    dry_run: bool = False


@dataclass(frozen=True)
class Launchable:
    """op: what takes the config in Dagster; per_ticker: whether a run is for one ticker."""

    op: str
    config: type[Nothing] = Nothing
    per_ticker: bool = False

    def ops(self, name: str, asked: JobRequest) -> dict[str, Any]:
        """The run config's `ops` for a request. Raises UserError for what the job does not take."""
        if self.per_ticker != (asked.ticker is not None):
            raise UserError(f"ticker: {name} {'needs one' if self.per_ticker else 'is not about single tickers'}")
        try:
            given = self.config.model_validate(asked.config).model_dump(exclude_unset=True)
        except ValidationError as error:
            raise UserError(self._what_is_wrong(name, error.errors()[0])) from None
        return {self.op: {"config": given}} if given else {}

    def _what_is_wrong(self, name: str, error: Mapping[str, Any]) -> str:
        takes = self.config.model_fields
        field = error["loc"][0]
        if field not in takes:  # a name of the client's making is not echoed
            return f"config: {name} takes {', '.join(takes) or 'nothing'}"
        return f"config.{field}: {error['msg'][:160]}"


JOBS: Mapping[str, Launchable] = {
    "refresh_prices": Launchable("raw_prices", per_ticker=True),
    "evaluate_model": Launchable("production_evaluation", Evaluation, per_ticker=True),
    "retrain_all_models": Launchable("tickers_to_retrain", Retraining),
    "cleanup_old_models": Launchable("clean_model_registry", CleanUp),
    "clear_prediction_cache": Launchable("forget_predictions"),
}


def launchable(name: str) -> Launchable:
    """The job of that name. Raises UnknownJob, which names those that there are."""
    try:
        return JOBS[name]
    except KeyError:
        raise UnknownJob(f"the jobs are {', '.join(JOBS)}; a ticker's training is POST /train") from None
