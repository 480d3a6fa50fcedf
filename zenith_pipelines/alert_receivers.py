"""The table of receivers: a TOML file that says who gets which alerts, where and in which language."""

import os
import tomllib
from datetime import time
from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from zenith_core.errors import UserError
from zenith_core.words import Language

Kind = Literal["promoted", "refused", "rolled_back", "retraining", "run_failed", "stale_prices", "disk_space", "digest"]
"""The kinds of alert; docs/runbook.md has the steps for each."""

KINDS: tuple[Kind, ...] = get_args(Kind)


class Receiver(BaseModel):
    """A row of the table.

    url:     an address of Apprise; `$NAME` is the environment variable of that name
    alerts:  the kinds that it gets
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=60)
    url: SecretStr
    alerts: tuple[Kind, ...] = KINDS
    language: Language = "en"

    @model_validator(mode="after")
    def _insert_variable(self) -> Self:
        address = self.url.get_secret_value()
        if address.startswith("$"):
            value = os.environ.get(address[1:], "")
            if not value:
                raise ValueError(f"the environment variable {address[1:]} is not set")
            object.__setattr__(self, "url", SecretStr(value))
        elif "://" not in address:
            raise ValueError("url is not an address of Apprise, such as mailto://user:password@example.com")
        return self


class ReceiverTable(BaseModel):
    """All receivers, and the time of day of the digest, in ZENITH_TIMEZONE."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: tuple[Receiver, ...] = ()
    digest_at: time = time(8)

    @field_validator("digest_at", mode="before")
    @classmethod
    def _be_time(cls, value: object) -> object:
        if not isinstance(value, time | str):  # pydantic would take a number for seconds
            raise ValueError("it must be a time of day, such as 08:00:00")
        return value

    @model_validator(mode="after")
    def _name_each_once(self) -> Self:
        names = [receiver.name for receiver in self.to]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two receivers have the name {min(twice)}")
        return self

    def wants(self, *kinds: Kind) -> bool:
        """Return True if a receiver gets one of these kinds."""
        return any(kind in receiver.alerts for receiver in self.to for kind in kinds)


def read_receivers(path: Path | None) -> ReceiverTable:
    """Read the table; without a path it is empty. Raises UserError, which never repeats an address."""
    if path is None:
        return ReceiverTable()
    try:
        document = tomllib.loads(path.expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"ZENITH_ALERTS {path} cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise UserError(f"ZENITH_ALERTS {path} is not TOML: docs/guides/alerts.md has an example") from None
    try:
        return ReceiverTable.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part + 1 if isinstance(part, int) else part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise UserError(f"ZENITH_ALERTS {path}: {place + ': ' if place else ''}{reason}") from None
