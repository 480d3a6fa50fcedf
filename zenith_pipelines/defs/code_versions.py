"""Code versions of assets. The Dagster UI marks an asset outdated when the code that computes its value has changed."""

import hashlib
import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PROSE = re.compile(r'^\s*(?:#.*|"""(?:.|\n)*?""")?\n', re.MULTILINE)


def code_version(*places: str) -> str:
    """Hash the code in `places`, files or folders such as "zenith_core/prices", as 12 hex digits.

    Docstrings, blank lines and lines of comments do not count. Raises FileNotFoundError for a missing place.
    """
    digest = hashlib.sha256()
    for place in places:
        for path in _files(_ROOT / place):
            digest.update(_PROSE.sub("", path.read_text()).encode())
    return digest.hexdigest()[:12]


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        return sorted(place.rglob("*.py"))
    if not place.is_file():
        raise FileNotFoundError(place)
    return [place]
