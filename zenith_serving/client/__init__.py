"""The Python client: `from zenith_serving.client import Zenith`."""

from zenith_serving.client.client import Zenith
from zenith_serving.client.errors import (
    ApiError,
    InvalidRequest,
    KeyRefused,
    NotFound,
    StillRunning,
    Unavailable,
    Unreachable,
)

__all__ = [
    "ApiError",
    "InvalidRequest",
    "KeyRefused",
    "NotFound",
    "StillRunning",
    "Unavailable",
    "Unreachable",
    "Zenith",
]
