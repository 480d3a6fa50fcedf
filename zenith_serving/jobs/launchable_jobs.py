"""The jobs that can be launched over REST, and the config of each. No other job can be launched."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, ValidationError

from zenith_core.errors import UserError
from zenith_core.job_options import CleanUpOptions, EvaluationOptions, JobOptions, RetrainingOptions
from zenith_serving.errors import UnknownJob
from zenith_serving.schemas.base import Ticker
from zenith_serving.schemas.jobs import JobRequest


class RetrainingRequest(RetrainingOptions):
    """The same options with validated tickers."""

    tickers: list[Ticker] = Field(default=[])


@dataclass(frozen=True)
class Launchable:
    """A launchable job. op: the Dagster op that gets the config; per_ticker: True if a run is for one ticker."""

    op: str
    config: type[JobOptions] = JobOptions
    per_ticker: bool = False

    def ops(self, name: str, request: JobRequest) -> dict[str, Any]:
        """Return the `ops` of the run config. Raises UserError if the request does not fit the job."""
        if self.per_ticker != (request.ticker is not None):
            raise UserError(f"ticker: {name} {'needs one' if self.per_ticker else 'takes no ticker'}")
        try:
            config = self.config.model_validate(request.config, strict=True).model_dump(exclude_unset=True)
        except ValidationError as error:
            raise UserError(self._config_problem(name, error.errors()[0])) from None
        return {self.op: {"config": config}} if config else {}

    def _config_problem(self, name: str, error: Mapping[str, Any]) -> str:
        fields = self.config.model_fields
        if not error["loc"]:  # of a model's configuration
            return f"config.models: {error['msg'][:160]}"
        field = error["loc"][0]
        if field not in fields:  # an unknown name is not echoed
            return f"config: {name} takes {', '.join(fields) or 'nothing'}"
        return f"config.{field}: {error['msg'][:160]}"


JOBS: Mapping[str, Launchable] = {
    "refresh_prices": Launchable("raw_prices", per_ticker=True),
    "evaluate_model": Launchable("production_evaluation", EvaluationOptions, per_ticker=True),
    "forecast_universe": Launchable("universe_forecasts"),
    "backtest_books": Launchable("book_backtest"),
    "retrain_all_models": Launchable("tickers_to_retrain", RetrainingRequest),
    "cleanup_old_models": Launchable("clean_model_registry", CleanUpOptions),
    "clear_prediction_cache": Launchable("forget_predictions"),
}


def launchable(name: str) -> Launchable:
    """Return the job of that name. Raises UnknownJob, which lists the jobs."""
    try:
        return JOBS[name]
    except KeyError:
        raise UnknownJob(f"the jobs are {', '.join(JOBS)}; a ticker's training is POST /train") from None
