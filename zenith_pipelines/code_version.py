"""Which code made a model."""

from importlib.metadata import version
from pathlib import Path

_GIT = Path(__file__).parents[1] / ".git"


def code_version(git: Path = _GIT) -> str:
    """The package's version, and in a git checkout the commit: `0.1.0+a1b2c3d4e5f6`. Uncommitted changes do not show.

    An installed package has no checkout, and a reference that git has packed away is not looked for.
    """
    try:
        head = (git / "HEAD").read_text().strip()
        commit = (git / head.removeprefix("ref: ")).read_text().strip() if head.startswith("ref: ") else head
    except OSError:
        return version("zenith")
    return f"{version('zenith')}+{commit[:12]}"
