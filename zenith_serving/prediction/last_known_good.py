"""Copies of the models last seen to work, for when the registry is away.

    <root>/<name>/<version>-<sha256>.onnx

The checksum is in the name, so a copy is one file that is there whole, or not at all.
"""

import hashlib
import logging
import os
import tempfile
from pathlib import Path

_logger = logging.getLogger(__name__)


class LastGood:
    """One copy for each model name; a new copy replaces the old one."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(self, name: str, version: int, onnx: bytes) -> None:
        """Keep a copy, and drop the older ones. A folder that cannot be written is logged and changes nothing."""
        path = self._root / name / f"{version}-{hashlib.sha256(onnx).hexdigest()}.onnx"
        try:
            _write_whole(path, onnx)
            for other in path.parent.glob("*.onnx"):
                if other != path:
                    other.unlink(missing_ok=True)
        except OSError as error:
            _logger.warning("no last-good copy of %s under MODELS_PATH: %s", name, error.strerror)

    def load(self, name: str, version: int | None = None) -> tuple[int, bytes] | None:
        """The newest copy, or that of `version`, as (version, ONNX); None if none matches its checksum."""
        pattern = f"{'*' if version is None else version}-*.onnx"
        try:
            for path in sorted((self._root / name).glob(pattern), key=_modified, reverse=True):
                number, _, checksum = path.stem.partition("-")
                content = path.read_bytes()
                if hashlib.sha256(content).hexdigest() == checksum:
                    return int(number), content
                _logger.warning("%s does not match its checksum and is left out", path)
        except OSError as error:  # another process replaced the copy between the listing and the reading
            _logger.warning("last-good copy of %s: %s", name, error.strerror)
        return None

    def has(self, name: str, version: int) -> bool:
        """Whether there is a copy of the version, without reading it."""
        return any((self._root / name).glob(f"{version}-*.onnx"))


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
