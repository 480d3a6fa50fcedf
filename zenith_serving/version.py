"""The version of what is running."""

from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of


@cache
def version() -> str:
    """As the installed package says; "unknown" if it is run from a folder that was never installed."""
    try:
        return version_of("zenith")
    except PackageNotFoundError:
        return "unknown"
