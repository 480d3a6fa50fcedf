"""What the Python client raises: the service's problem documents as errors, and what comes between."""

from collections.abc import Mapping

import httpx
from pydantic import ValidationError

from zenith_core.errors import ZenithError
from zenith_serving.schemas.predictions import Problem


class Unreachable(ZenithError):
    """Nothing answers at the address, or not in time, or it is no Zenith."""

    retryable = True


class StillRunning(ZenithError):
    """A run has not ended in the time that it was waited for; it goes on."""


class ApiError(ZenithError):
    """The service refused. `problem` is its document, with `type` to tell kinds apart and, for tickers, `nearby`."""

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.status = problem.status
        self.retry_after = retry_after

    @property
    def nearby(self) -> list[str]:
        """Tickers that exist and look like the one asked for."""
        found: list[str] = (self.problem.model_extra or {}).get("nearby", [])
        return found


class NotFound(ApiError):
    """There is no such ticker, run or job (404), or not any more (410)."""


class InvalidRequest(ApiError):
    """The request cannot be carried out as asked (400, 413, 422)."""

    exit_code = 2


class KeyRefused(ApiError):
    """A key is missing or not valid (401, 403)."""


class Unavailable(ApiError):
    """Not now (408, 429, 503): `retry_after` seconds later, perhaps."""

    retryable = True


_ERRORS: Mapping[int, type[ApiError]] = {
    **dict.fromkeys((400, 413, 422), InvalidRequest),
    **dict.fromkeys((401, 403), KeyRefused),
    **dict.fromkeys((404, 410), NotFound),
    **dict.fromkeys((408, 429, 503), Unavailable),
}


def error_of(response: httpx.Response) -> ApiError:
    """The error that a response is which is no success."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:  # a proxy's own page
        said = response.reason_phrase
        problem = Problem(type="about:blank", title=said, status=response.status_code, detail=said)
    after = response.headers.get("Retry-After", "")
    return _ERRORS.get(response.status_code, ApiError)(problem, float(after) if after.isdecimal() else None)
