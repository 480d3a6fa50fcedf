"""Folders and stores that run config may name: those below the roots of the settings (docs/decisions/0046)."""

from collections.abc import Iterable
from pathlib import Path

from zenith_core.errors import UserError


def require_below_roots(option: str, place: str, roots: Iterable[str]) -> None:
    """Raise UserError unless `place`, a folder or URI that the run config's `option` names, is at or below a root.

    Links are followed first, so that none leads out of a root. Nothing is opened.
    """
    if not any(_is_below(place, root) for root in roots):
        raise UserError(
            f"{option} {place[:200]!r} is not below ZENITH_CSV_DIR, the datasets or ZENITH_DATA_ROOTS: "
            "name a folder there, or add its root to ZENITH_DATA_ROOTS where Dagster runs"
        )


def _is_below(place: str, root: str) -> bool:
    folder, root_folder = _folder(place), _folder(root)
    if folder is not None and root_folder is not None:
        return folder.is_relative_to(root_folder)
    if folder is not None or root_folder is not None or ".." in place.split("/"):
        return False
    return f"{place.rstrip('/')}/".startswith(f"{root.rstrip('/')}/")


def _folder(place: str) -> Path | None:
    """Return the local folder that a path or file:// URI names, or None for another URI."""
    scheme, separator, path = place.partition("://")
    if not separator and "::" not in place:
        return Path(place).expanduser().resolve()
    return Path(path).resolve() if scheme == "file" else None
