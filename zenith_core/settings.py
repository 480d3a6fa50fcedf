"""The settings that pipelines and serving share, and checks of addresses. Errors never repeat an address."""

import re
from datetime import date
from pathlib import Path
from string import Formatter
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from zenith_core.errors import UserError
from zenith_core.model_kinds.answers import check_answers
from zenith_core.model_kinds.table import select_kinds

_DATABASES = r"sqlite|postgres(ql)?|mysql"
_ASYNC_DRIVERS = ("asyncpg", "aiosqlite", "aiomysql", "asyncmy")  # MLflow is not written for them
_PLACES = {"ticker", "symbol", "since", "key"}


class SharedSettings(BaseSettings):
    """Settings of both; each field is an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    zenith_home: Path = Field(default=Path(".zenith"), description="The folder of all state.")
    mlflow_tracking_uri: str | None = Field(
        default=None,
        description="An MLflow server, or a database other than `DATABASE_URL`. Not set: SQLite in `ZENITH_HOME`.",
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="A Redis for cached answers, rate limits and the pace of requests to Yahoo. Not set: each service "
        "process and each home keeps its own.",
    )
    zenith_models: str = Field(
        default="",
        description="The kinds of model in use, separated by commas, such as `lstm,gru,ensemble`. A kind of a package "
        "is used only if it is named. Not set: `lstm,ensemble`.",
    )
    zenith_answers: str = Field(
        default="",
        description="The kind of model that answers a task, separated by commas: `price=gru` for all tickers, "
        "`AAPL:price=gru` for one. Not set: the first kind of each task in use, so `lstm` and `ensemble` by default.",
    )

    def __init__(self, **values: Any) -> None:
        """Read the environment; `values` come first, and an empty variable counts as unset. Raises UserError."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise invalid_setting(error) from None

    @field_validator("mlflow_tracking_uri")
    @classmethod
    def _be_mlflow(cls, uri: str | None) -> str | None:
        return check_tracking_uri(uri) if uri else None

    @field_validator("redis_url")
    @classmethod
    def _be_redis(cls, url: SecretStr | None) -> SecretStr | None:
        return SecretStr(check_redis_url(url.get_secret_value())) if url and url.get_secret_value() else None

    @field_validator("zenith_models")
    @classmethod
    def _be_kinds(cls, text: str) -> str:
        select_kinds(text)
        return text

    @field_validator("zenith_answers")
    @classmethod
    def _be_answers(cls, text: str, info: ValidationInfo) -> str:
        return check_answers(text, info.data.get("zenith_models", ""))

    @property
    def home(self) -> Path:
        """`ZENITH_HOME` as an absolute path, which does not depend on the current folder."""
        return self.zenith_home.expanduser().resolve()

    @property
    def tracking_uri(self) -> str:
        """MLflow's tracking and registry store: `MLFLOW_TRACKING_URI`, or SQLite in home."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home / 'mlflow' / 'mlflow.db'}"


def check_tracking_uri(uri: str) -> str:
    """Return the address of an MLflow server or database. Raises ValueError for another kind of address."""
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018  # raises ValueError if it is no number, for example after an unescaped # in a password
    except ValueError:
        raise ValueError("its port is not a number; #, /, @ and : in a password are escaped, as %23") from None
    scheme, _, driver = parts.scheme.partition("+")
    is_database = re.fullmatch(_DATABASES, scheme) and "://" in uri and driver not in _ASYNC_DRIVERS
    if not (is_database or (scheme in ("http", "https") and parts.hostname)):
        raise ValueError(
            "it must be an MLflow server (http://host:port, https://…) or a database "
            "(sqlite:///file, postgresql://…, mysql://…), with a driver that is not asynchronous"
        )
    return uri


def check_redis_url(url: str) -> str:
    """Return the address of a Redis. Raises ValueError; redis-py's own errors repeat parts of the password."""
    try:
        parts = urlsplit(url)
        has_host = parts.scheme in ("redis", "rediss") and parts.hostname and parts.port != 0
    except ValueError:  # the port is no number, for example after an unescaped # in a password
        has_host = False
    if not has_host and not url.startswith("unix://"):
        raise ValueError(
            "it must look like redis://user:password@host:port/0, with #, /, @ and : in a password escaped, as %23"
        )
    return url


def check_page_url(url: str) -> str:
    """Return the address of the page, without a slash at its end. Raises ValueError for another text."""
    try:
        parts = urlsplit(url)
        is_address = (
            parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and "@" not in parts.netloc
        )
    except ValueError:
        is_address = False
    if not is_address:  # every reader of the Dagster UI sees it, so it must not contain a password
        raise ValueError("it must be http://host:port or https://host, without a user or password")
    return url.rstrip("/")


def check_price_url(template: str) -> str:
    """Return the address of price tables, with places such as {ticker}. Raises ValueError for another text."""
    try:
        parts = urlsplit(template.format(ticker="A", symbol="A", key="k", since=date(1900, 1, 1)))
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        places = {name for _, name, *_ in Formatter().parse(template) if name is not None}
    except (ValueError, LookupError, AttributeError):
        is_address, places = False, set()
    if not is_address or not places & {"ticker", "symbol"} or places - _PLACES:
        raise ValueError(
            "it must look like https://host/path?s={ticker}; {symbol}, {since} and {key} may stand in it, nothing else"
        )
    return template


def invalid_setting(error: ValidationError) -> UserError:
    """Return the error for an invalid environment variable, with its name and never its value."""
    first = error.errors(include_input=False)[0]
    name = str(first["loc"][0]).upper() if first["loc"] else "the environment"
    return UserError(f"{name} is not valid: {first['msg'].removeprefix('Value error, ')}")
