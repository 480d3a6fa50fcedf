"""Everything serving reads from the environment, in one object. Made when asked for, never at import."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from zenith_core.errors import UserError


class Settings(BaseSettings):
    """Settings of serving; each field is an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    zenith_home: Path = Field(default=Path(".zenith"), description="Where all state is kept.")
    zenith_data_uri: str | None = Field(default=None, description="Where datasets are kept: for serving, a folder.")
    mlflow_tracking_uri: str | None = Field(default=None, description="The MLflow server or database.")
    redis_url: SecretStr | None = Field(default=None, description="A Redis that several processes share.")
    models_path: Path | None = Field(default=None, description="Where last-good copies of the models are kept.")
    zenith_model_memory_mb: int = Field(
        default=512, gt=0, description="How much memory models may take in each process, in MB; others are loaded anew."
    )
    ml_cache_ttl: int = Field(default=3600, gt=0, description="How long an answer is kept, in seconds.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Web origins that may call the API, separated by commas."
    )
    zenith_api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(), description="Keys for whatever changes something, separated by commas."
    )

    @field_validator("cors_origins", "zenith_api_keys", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def home(self) -> Path:
        """`ZENITH_HOME` as an absolute path."""
        return self.zenith_home.expanduser().resolve()

    @property
    def snapshots(self) -> Path:
        """Folder of the serving snapshots, one sub-folder for each ticker, where the pipelines' `ZENITH_DATA_URI` is.

        Raises UserError if that is no folder: serving looks at a snapshot's file at each request, and reads no object
        storage.
        """
        if not self.zenith_data_uri:
            return self.home / "data" / "serving_snapshot"
        scheme, _, rest = self.zenith_data_uri.rpartition("://")
        if scheme not in ("", "file", "local"):
            raise UserError(
                f"ZENITH_DATA_URI {self.zenith_data_uri}: serving reads a folder only; bring its serving_snapshot "
                "into one, and name that here as a path or file:// URI"
            )
        return Path(rest).expanduser().resolve() / "serving_snapshot"

    @property
    def tracking_uri(self) -> str:
        """MLflow's registry: a server if one is named, else SQLite under home."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home / 'mlflow' / 'mlflow.db'}"

    @property
    def last_good(self) -> Path:
        """`MODELS_PATH`, or a folder under home."""
        return self.models_path.expanduser().resolve() if self.models_path else self.home / "serving-models"


def require_home(settings: Settings) -> None:
    """Raise UserError if ZENITH_HOME is no folder and cannot become one. A missing or read-only one is all right."""
    there = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    if not there.is_dir():
        raise UserError(f"ZENITH_HOME {settings.home} cannot be a folder, since {there} is a file: name another")
