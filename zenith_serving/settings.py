"""Every environment variable of serving, in one object; loopback hosts; the installed version. Not read at import."""

import ipaddress
import re
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from zenith_core.errors import UserError


class Settings(BaseSettings):
    """Settings of serving; each field is an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    zenith_home: Path = Field(default=Path(".zenith"), description="Where all state is kept.")
    zenith_data_uri: str | None = Field(default=None, description="Serving reads a folder only.")
    mlflow_tracking_uri: str | None = Field(
        default=None,
        description="An MLflow server, or a database other than `DATABASE_URL`. Not set: SQLite in `ZENITH_HOME`.",
    )
    dagster_url: str = Field(
        default="http://127.0.0.1:3000", description="The Dagster webserver that runs are launched through."
    )
    dagster_public_url: str | None = Field(
        default=None, description="Where people's browsers find Dagster, if not at DAGSTER_URL."
    )
    mlflow_public_url: str | None = Field(
        default=None, description="Where people's browsers find MLflow, if not at MLFLOW_TRACKING_URI."
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="A Redis for cached answers and rate limits. Not set: each service process keeps its own.",
    )
    models_path: Path | None = Field(
        default=None,
        description="Where last-good copies of the models are kept. Not set: `serving-models` in `ZENITH_HOME`.",
    )
    zenith_model_memory_mb: int = Field(
        default=512,
        gt=0,
        description="Memory for models in each process, in MB; those asked for longest ago are dropped.",
    )
    ml_cache_ttl: int = Field(default=3600, gt=0, description="Seconds that an answer is kept.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Web origins that browsers may call from, separated by commas. Not set: none."
    )
    zenith_api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Keys for whatever changes something, separated by commas; needed to listen beyond loopback.",
    )
    zenith_read_keys: bool = Field(
        default=False, description="Whether reading needs a key too; `/health` never does, nor the page's own files."
    )
    zenith_rate_limit: str = Field(
        default="3000/minute",
        description="How often a key, or an address beyond this machine, may ask: so many a `second`, `minute`, `hour` "
        "or `day`; or `off`.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Which lines are logged: `debug`, `info`, `warning`, which leaves out requests that went well, or "
        "`error`.",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`json`, `console` for people, or `auto`: for people if stderr is a terminal."
    )

    @field_validator("cors_origins", "zenith_api_keys", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("redis_url")
    @classmethod
    def _be_redis(cls, url: SecretStr | None) -> SecretStr | None:
        """Checked here, since redis-py's own errors repeat parts of the password."""
        if url is None or not url.get_secret_value():
            return None
        with suppress(ValueError):  # of a port that is no number, as behind an unescaped # in a password
            parts = urlsplit(url.get_secret_value())
            if (parts.scheme in ("redis", "rediss") and parts.hostname and parts.port != 0) or parts.scheme == "unix":
                return url
        raise ValueError(
            "redis://user:password@host:port/0 is right, with #, /, @ and : in a password as %23 and so on"
        )

    @field_validator("cors_origins")
    @classmethod
    def _be_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        """Compared as text with what browsers send, in which a path or a capital would never match."""
        if all(re.fullmatch(r"\*|https?://[a-z0-9.\[\]:-]+", origin) for origin in origins):
            return origins
        raise ValueError("origins are right, as https://dashboard.example or http://localhost:3000; or *")

    @field_validator("zenith_rate_limit")
    @classmethod
    def _be_a_rate(cls, text: str) -> str:
        if not re.fullmatch(r"off|[1-9]\d{0,8}/(second|minute|hour|day)", text):
            raise ValueError("a number per second, minute, hour or day is right, as 3000/minute; or off")
        return text

    @field_validator("dagster_url", "dagster_public_url", "mlflow_public_url")
    @classmethod
    def _plain_address(cls, value: str | None, info: ValidationInfo) -> str | None:
        if not value and info.field_name != "dagster_url":
            return None
        parts = urlsplit(value or "")
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            # Each run's address is told to whoever may read, so it must not hold a password.
            name = str(info.field_name).upper()
            raise UserError(f"{name} must be http://host:port or https://host, without a user or password")
        return value.rstrip("/") if value else None

    @property
    def home(self) -> Path:
        """`ZENITH_HOME` as an absolute path."""
        return self.zenith_home.expanduser().resolve()

    @property
    def snapshots(self) -> Path:
        """Folder of the serving snapshots. Raises as `facts` does."""
        return self.facts("serving_snapshot")

    def facts(self, asset: str) -> Path:
        """Folder of what an asset has for serving, a sub-folder for each ticker, where `ZENITH_DATA_URI` is.

        Raises UserError if that is no folder: serving looks at a snapshot's file at each request, and reads no object
        storage.
        """
        if not self.zenith_data_uri:
            return self.home / "data" / asset
        scheme, _, rest = self.zenith_data_uri.rpartition("://")
        if scheme not in ("", "file", "local"):
            raise UserError(
                f"ZENITH_DATA_URI {self.zenith_data_uri}: serving reads a folder only; bring its serving_snapshot "
                "into one, and name that here as a path or file:// URI"
            )
        return Path(rest).expanduser().resolve() / asset

    @property
    def tracking_uri(self) -> str:
        """MLflow's registry: a server if one is named, else SQLite under home."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home / 'mlflow' / 'mlflow.db'}"

    @property
    def last_good(self) -> Path:
        """`MODELS_PATH`, or a folder under home."""
        return self.models_path.expanduser().resolve() if self.models_path else self.home / "serving-models"


def read_settings() -> Settings:
    """The settings in the environment. Raises UserError that names the variable, and does not repeat its value."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = str(first["loc"][0]).upper() if first["loc"] else "the environment"
        raise UserError(f"{name} is not valid: {first['msg'].removeprefix('Value error, ')}") from None


def require_home(settings: Settings) -> None:
    """Raise UserError if ZENITH_HOME is no folder and cannot become one. A missing or read-only one is all right."""
    there = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    if not there.is_dir():
        raise UserError(f"ZENITH_HOME {settings.home} cannot be a folder, since {there} is a file: name another")


def is_loopback(host: str) -> bool:
    """Return True if a host name or address is a loopback one."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@cache
def version() -> str:
    """Return the version of the installed package; "unknown" if Zenith was never installed."""
    try:
        return installed_version("zenith")
    except PackageNotFoundError:
        return "unknown"
