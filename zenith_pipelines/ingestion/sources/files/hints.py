"""`prices.toml`: the owner's own words on files that no known form fits, beside the files."""

import codecs
import tomllib
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from zenith_core.errors import InvalidPrices
from zenith_pipelines.ingestion.sources.base import REQUIRED
from zenith_pipelines.ingestion.sources.files.forms import (
    COLUMNS,
    DAY_FIRST,
    EPOCH,
    MONTH_FIRST,
    TICKER,
    UNUSED,
    Form,
)

FILE_NAME = "prices.toml"
_MEANINGS = (*COLUMNS, TICKER)
NO_VOLUME = "none"


def _dates(text: str) -> str:
    if text not in (DAY_FIRST, MONTH_FIRST, EPOCH) and "%" not in text:
        raise ValueError(f"expected {DAY_FIRST}, {MONTH_FIRST}, {EPOCH} or a format such as %d/%m/%y")
    return text


def _encoding(text: str) -> str:
    try:
        return codecs.lookup(text).name
    except LookupError:
        raise ValueError("expected an encoding such as utf-8, utf-16 or latin-1") from None


def _columns(columns: dict[str, str] | list[str]) -> dict[str, str] | list[str]:
    meanings = list(columns)
    if unknown := [name for name in meanings if name not in (*_MEANINGS, UNUSED)]:
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(_MEANINGS)}")
    if isinstance(columns, list):
        if missing := [name for name in ("date", *REQUIRED) if name not in columns and name != "volume"]:
            raise ValueError(f"{', '.join(missing)} is missing")
        if twice := [name for name in columns if name and columns.count(name) > 1]:
            raise ValueError(f"{twice[0]} is there twice")
    return columns


def _units(units: dict[str, float]) -> dict[str, float]:
    if unknown := [name for name in units if name not in COLUMNS[1:]]:
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(COLUMNS[1:])}")
    return units


class Hint(BaseModel):
    """The entry of a file, or of the files that a pattern names."""

    model_config = ConfigDict(extra="forbid", strict=True)

    columns: Annotated[dict[str, str] | list[str] | None, AfterValidator(lambda c: c and _columns(c))] = None
    dates: Annotated[str | None, AfterValidator(lambda text: text and _dates(text))] = None
    decimal: Literal[".", ","] | None = None
    units: Annotated[dict[str, Annotated[float, Field(gt=0)]], AfterValidator(_units)] = {}
    separator: Annotated[str | None, Field(min_length=1, max_length=1)] = None
    encoding: Annotated[str | None, AfterValidator(lambda text: text and _encoding(text))] = None

    @property
    def names(self) -> dict[str, str]:
        """The meaning of each header that the entry names."""
        return {header: meaning for meaning, header in self._by_meaning.items() if header != NO_VOLUME}

    @property
    def positions(self) -> list[str] | None:
        """The meaning of each column of files without a header; None for files with one."""
        return self.columns if isinstance(self.columns, list) else None

    def apply(self, form: Form) -> Form:
        """Return the form as the entry changes it: where it says something, the file must be so."""
        changes = {name: value for name in ("dates", "decimal", "units") if (value := getattr(self, name))}
        if self.columns is not None:
            has_volume = "volume" in self.positions if self.positions else self._by_meaning.get("volume") != NO_VOLUME
            changes |= {"name": FILE_NAME, "has_volume": has_volume}
        return replace(form, strict=True, **changes) if changes else form

    @property
    def _by_meaning(self) -> dict[str, str]:
        return self.columns if isinstance(self.columns, dict) else {}


def hint_for(path: Path) -> Hint:
    """Return the entry of `path` in the prices.toml beside it: by its name, else by the first pattern that fits.

    Raises InvalidPrices if the file is no valid prices.toml.
    """
    place = path.parent / FILE_NAME
    try:
        stamp = place.stat().st_mtime_ns
    except OSError:
        return Hint()
    hints = _read(place, stamp)
    if path.name in hints:
        return hints[path.name]
    return next((hint for pattern, hint in hints.items() if fnmatchcase(path.name, pattern)), Hint())


@lru_cache(maxsize=8)
def _read(place: Path, stamp: int) -> dict[str, Hint]:
    try:
        return TypeAdapter(dict[str, Hint]).validate_python(tomllib.loads(place.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidPrices(f"{place} cannot be read as TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][:2])
        if first["type"] == "extra_forbidden":
            raise InvalidPrices(f"{place}, {where}: unknown; expected {', '.join(Hint.model_fields)}") from None
        raise InvalidPrices(f"{place}, {where}: {first['msg'].removeprefix('Value error, ')}") from None
