"""Copies of the models last known to work, for when the registry is unavailable.

    <root>/<name>/<version>-<sha256>.onnx

The checksum is part of the name, so a copy is one file, whole or absent.
"""

import hashlib
import logging
import os
import tempfile
from contextlib import suppress
from pathlib import Path

_logger = logging.getLogger(__name__)


class LastKnownGood:
    """One copy for each model name; a new copy replaces the old one."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(self, name: str, version: int, onnx: bytes) -> None:
        """Write a copy and delete the older ones. If the folder cannot be written, log it and go on."""
        path = self._root / name / f"{version}-{hashlib.sha256(onnx).hexdigest()}.onnx"
        try:
            _write_whole(path, onnx)
            for copy in path.parent.glob("*.onnx"):
                if copy != path:
                    copy.unlink(missing_ok=True)
        except OSError as error:
            _logger.warning("no last-known-good copy of %s under MODELS_PATH: %s", name, error.strerror)

    def load(self, name: str, version: int | None = None) -> tuple[int, bytes] | None:
        """Return the newest copy, or that of `version`, as (version, ONNX); None if none matches its checksum.

        A damaged copy is deleted, so that the next look at the registry copies the version again.
        """
        pattern = f"{'*' if version is None else version}-*.onnx"
        try:
            for path in sorted((self._root / name).glob(pattern), key=_modified, reverse=True):
                number, _, checksum = path.stem.partition("-")
                content = path.read_bytes()
                if hashlib.sha256(content).hexdigest() == checksum:
                    return int(number), content
                _logger.warning("%s does not match its checksum and is deleted", path)
                with suppress(OSError):
                    path.unlink()
        except OSError as error:  # another process replaced the copy after it was listed
            _logger.warning("last-known-good copy of %s: %s", name, error.strerror)
        return None

    def is_empty(self) -> bool:
        """Return True if there is no copy of any model."""
        return not any(self._root.glob("*/*.onnx"))

    def has(self, name: str, version: int) -> bool:
        """Return True if there is a copy of the version; it is not read."""
        try:
            names = os.listdir(f"{self._root}/{name}")  # noqa: PTH208  # a quarter of the time of a Path's glob
        except OSError:
            return False
        return any(copy.startswith(f"{version}-") and copy.endswith(".onnx") for copy in names)


def _modified(path: Path) -> float:
    return path.stat().st_mtime


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
