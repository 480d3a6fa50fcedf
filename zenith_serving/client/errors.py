"""Errors of the Python client: problem documents of the service, and connection errors."""

from collections.abc import Mapping

import httpx
from pydantic import ValidationError

from zenith_core.errors import ZenithError
from zenith_serving.schemas.predictions import Problem


class Unreachable(ZenithError):
    """There is no answer from the address, not in time, or not from Zenith."""

    retryable = True


class StillRunning(ZenithError):
    """A run has not ended within the waiting time; it continues."""


class ApiError(ZenithError):
    """The service refused. `problem` is its document, whose `type` identifies the kind of problem."""

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.status = problem.status
        self.retry_after = retry_after

    @property
    def nearby(self) -> list[str]:
        """Existing tickers similar to an unknown one."""
        tickers: list[str] = (self.problem.model_extra or {}).get("nearby", [])
        return tickers


class NotFound(ApiError):
    """The ticker, run or job does not exist (404), or no longer (410)."""


class InvalidRequest(ApiError):
    """The request is invalid (400, 413, 422)."""

    exit_code = 2


class KeyRefused(ApiError):
    """A key is missing or not valid (401, 403)."""


class Unavailable(ApiError):
    """The service cannot answer now (408, 429, 503): try again after `retry_after` seconds."""

    retryable = True


_ERRORS: Mapping[int, type[ApiError]] = {
    **dict.fromkeys((400, 413, 422), InvalidRequest),
    **dict.fromkeys((401, 403), KeyRefused),
    **dict.fromkeys((404, 410), NotFound),
    **dict.fromkeys((408, 429, 503), Unavailable),
}


def error_of(response: httpx.Response) -> ApiError:
    """Make the error of an unsuccessful response."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:  # a proxy's own page
        phrase = response.reason_phrase
        problem = Problem(type="about:blank", title=phrase, status=response.status_code, detail=phrase)
    after = response.headers.get("Retry-After", "")
    return _ERRORS.get(response.status_code, ApiError)(problem, float(after) if after.isdecimal() else None)
