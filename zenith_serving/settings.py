"""Every environment variable of serving, in one object; the installed version. Not read at import."""

import re
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from zenith_core.errors import UserError
from zenith_core.settings import SharedSettings


class Settings(SharedSettings):
    """Settings of serving; each field is an environment variable of the same name in capitals."""

    zenith_data_uri: str | None = Field(default=None, description="Serving reads a folder only.")
    dagster_url: str = Field(default="http://127.0.0.1:3000", description="The Dagster webserver that launches runs.")
    dagster_public_url: str | None = Field(
        default=None, description="Dagster's address for browsers, if it is not `DAGSTER_URL`."
    )
    mlflow_public_url: str | None = Field(
        default=None, description="MLflow's address for browsers, if it is not `MLFLOW_TRACKING_URI`."
    )
    models_path: Path | None = Field(
        default=None,
        description="Folder of last-known-good copies of the models. Not set: `serving-models` in `ZENITH_HOME`.",
    )
    zenith_model_memory_mb: int = Field(
        default=512,
        gt=0,
        description="Memory for models' forecasts in each process, in MB; the least recently used are dropped.",
    )
    ml_cache_ttl: int = Field(default=3600, gt=0, description="Seconds that an answer is kept.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Web origins whose pages may call the API, separated by commas. Not set: none."
    )
    zenith_api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Keys for requests that change something, separated by commas. Required to listen beyond loopback.",
    )
    zenith_read_only_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(), description="Keys with which nothing can be changed, separated by commas."
    )
    zenith_read_keys: bool = Field(
        default=False, description="Require a key for reading too, except for `/health` and the files of the page."
    )
    zenith_rate_limit: str = Field(
        default="3000/minute",
        description="Requests of one key, or of one address beyond this machine, per `second`, `minute`, `hour` or "
        "`day`; or `off`.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Lowest level that is logged: `debug`, `info`, `warning` (no successful requests) or `error`.",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`json`, `console` for people, or `auto`: for people if stderr is a terminal."
    )

    @field_validator("cors_origins", "zenith_api_keys", "zenith_read_only_keys", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("redis_url")
    @classmethod
    def _have_redis_options(cls, url: SecretStr | None) -> SecretStr | None:
        if url:
            _require_redis_options(url.get_secret_value())
        return url

    @field_validator("cors_origins")
    @classmethod
    def _be_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse paths and capitals: origins are compared as text with those of browsers, which have neither."""
        if all(re.fullmatch(r"\*|https?://[a-z0-9.\[\]:-]+", origin) for origin in origins):
            return origins
        raise ValueError("it must be origins such as https://dashboard.example or http://localhost:3000, or *")

    @field_validator("zenith_rate_limit")
    @classmethod
    def _be_a_rate(cls, text: str) -> str:
        if not re.fullmatch(r"off|[1-9]\d{0,8}/(second|minute|hour|day)", text):
            raise ValueError("it must be a number per second, minute, hour or day, such as 3000/minute, or off")
        return text

    @field_validator("dagster_url", "dagster_public_url", "mlflow_public_url")
    @classmethod
    def _plain_address(cls, value: str | None, info: ValidationInfo) -> str | None:
        if not value and info.field_name != "dagster_url":
            return None
        parts = urlsplit(value or "")
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            # The address is shown to every reader, so it must not contain a password.
            name = str(info.field_name).upper()
            raise UserError(f"{name} must be http://host:port or https://host, without a user or password")
        return value.rstrip("/") if value else None

    @property
    def snapshots(self) -> Path:
        """Return the folder of the serving snapshots. Raises as `facts` does."""
        return self.facts("serving_snapshot")

    def facts(self, asset: str) -> Path:
        """Return the folder of an asset's data for serving, with a sub-folder for each ticker.

        Raises UserError if `ZENITH_DATA_URI` is no folder: serving checks a snapshot's file at each request, and does
        not read object storage.
        """
        if not self.zenith_data_uri:
            return self.home / "data" / asset
        scheme, _, rest = self.zenith_data_uri.rpartition("://")
        if scheme not in ("", "file", "local"):
            raise UserError(
                f"ZENITH_DATA_URI {self.zenith_data_uri}: serving reads a folder only; copy its serving_snapshot "
                "into a folder and set that folder here, as a path or file:// URI"
            )
        return Path(rest).expanduser().resolve() / asset

    @property
    def last_good(self) -> Path:
        """Return `MODELS_PATH`, or a folder under home."""
        return self.models_path.expanduser().resolve() if self.models_path else self.home / "serving-models"


def _require_redis_options(url: str) -> None:
    """Raise UserError for options after the ? that redis-py does not have or cannot read. Connects to nothing."""
    if "?" not in url:
        return
    from redis import Redis

    try:
        Redis.from_url(url).connection_pool.make_connection()
    except (TypeError, ValueError, AttributeError):
        raise UserError(
            "REDIS_URL is not valid: an option after its ? is none of redis-py's, or its value is of the wrong type: "
            "leave it out, or write for example ?socket_timeout=5"
        ) from None


def read_settings() -> Settings:
    """Read the settings from the environment. Raises UserError with the name of the variable, never its value."""
    return Settings()


def require_home(settings: Settings) -> None:
    """Raise UserError if ZENITH_HOME is no folder and cannot become one. It may be missing or read only."""
    existing = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    if not existing.is_dir():
        raise UserError(
            f"ZENITH_HOME {settings.home} cannot be a folder, because {existing} is a file: set another one"
        )


@cache
def version() -> str:
    """Return the version of the installed package; "unknown" if Zenith was never installed."""
    try:
        return installed_version("zenith")
    except PackageNotFoundError:
        return "unknown"
