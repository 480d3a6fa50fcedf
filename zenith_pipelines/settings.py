"""The settings of the pipelines: every environment variable that they read, in one object. Never made at import."""

from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator

from zenith_core.errors import InvalidTicker, UserError
from zenith_core.market.exchanges import add_exchanges, listed_tickers
from zenith_core.settings import SharedSettings, check_page_url, check_price_url
from zenith_pipelines.alert_receivers import read_receivers


class Settings(SharedSettings):
    """Settings of the pipelines; each field is an environment variable of the same name in capitals."""

    zenith_price_source: str = Field(
        default="sample",
        description="The source of prices: `yahoo`, `csv`, `http`, `sample`, `simulated`, or a package's. Not set: "
        "the source that a ticker had last; for a new ticker `sample` or `simulated` if they have it, else `yahoo`.",
    )
    zenith_csv_dir: Path | None = Field(
        default=None, description="The folder of price files, such as AAPL.csv, that the `csv` source reads."
    )
    zenith_price_url: SecretStr | None = Field(
        default=None,
        description="The address of a CSV table that the `http` source reads, such as "
        "`https://stooq.com/q/d/l/?s={ticker}.us&i=d`. `{symbol}` is the ticker without its suffix, `{since}` "
        "(or `{since:%Y%m%d}`) the first day wanted, `{key}` the key.",
    )
    zenith_price_key: SecretStr | None = Field(
        default=None, description="The key in `ZENITH_PRICE_URL`, if it has `{key}`. It is in no message."
    )
    zenith_yahoo_rate: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Most requests to Yahoo a minute, by all processes of a home, with `REDIS_URL` by all hosts that "
        "share it. A ticker takes two. After HTTP 429 all of them pause.",
    )
    zenith_data_roots: str = Field(
        default="",
        description="More folders, or URIs such as `s3://bucket/archive`, separated by commas. A run that Dagster "
        "launches reads the folders and stores that its run config names only below these, `ZENITH_CSV_DIR` and the "
        "datasets.",
    )
    zenith_data_uri: str | None = Field(
        default=None,
        description="The place of datasets: a folder, or an fsspec URI such as `s3://bucket/zenith`, which needs the "
        "extra `s3`. Not set: `data` in `ZENITH_HOME`.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="A PostgreSQL database for Dagster's runs and events, "
        "`postgresql://user:password@host:5432/dagster`. Not set: SQLite in `ZENITH_HOME`.",
    )
    zenith_dagster_config: Path | None = Field(
        default=None,
        description="A YAML file merged over Dagster's configuration: another run launcher, more concurrent runs.",
    )
    zenith_dagster_hosts: str = Field(
        default="",
        description="Host names under which the Dagster UI may be opened beside those of this machine, separated by "
        "commas.",
    )
    zenith_page_url: str = Field(
        default="http://127.0.0.1:8000",
        description="The address of the service's page for browsers: the links from Dagster and MLflow.",
    )
    zenith_exchanges: str = Field(
        default="",
        description="More exchanges by ticker suffix: `.VI=XWBO:EUR:Europe/Vienna,…`, the code as "
        "exchange_calendars has it.",
    )
    zenith_tickers: str = Field(
        default="",
        description="Tickers that a sensor adds, separated by commas. A ticker that it added is removed when it is no "
        "longer named here.",
    )
    zenith_features: str = Field(
        default="",
        description="Features of your own, separated by commas: Python files such as `features.py`, or entry points of "
        "the group `zenith.features`. The pipelines run their code, the service never does.",
    )
    zenith_timezone: str = Field(default="America/Sao_Paulo", description="Time zone of the schedules.")
    zenith_retrain_cron: str = Field(default="0 2 * * 0", description="When all tickers are retrained.")
    zenith_batch_size: int = Field(
        default=25,
        ge=1,
        le=1000,
        description="Most tickers that one run of the weekly retraining or of a refresh works through in its process.",
    )
    zenith_scale_cron: str = Field(default="0 1 * * 0", description="When the scale of all tickers is learned.")
    zenith_cleanup_cron: str = Field(default="0 3 1 * *", description="When old model versions are cleaned up.")
    zenith_keep_run_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="Days that clean-up keeps Dagster's ended runs with their events and logs. A run that made the "
        "latest of an asset stays.",
    )
    zenith_cache_cron: str = Field(default="0 0 * * *", description="When cached answers are cleared.")
    zenith_refresh_delay: int = Field(
        default=60,
        ge=0,
        le=1440,
        description="Minutes after an exchange's close until its tickers are refreshed, 0 to 1440.",
    )
    zenith_alert_webhook: SecretStr | None = Field(
        default=None, description="An http(s) address that alerts are posted to, as JSON."
    )
    zenith_alerts: Path | None = Field(
        default=None,
        description="A TOML file that says who gets which alerts: mail, Slack, Teams, Telegram and all else that "
        "Apprise reaches.",
    )
    keras_backend: Literal["jax", "tensorflow", "torch"] = Field(
        default="jax", description="Keras's backend: `jax`, `tensorflow`, or `torch`, which is not installed."
    )

    @field_validator("zenith_features")
    @classmethod
    def _be_features(cls, text: str) -> str:
        if text:
            from zenith_core.features.model_features import select_inputs

            select_inputs(text)
        return text

    @field_validator("zenith_price_url")
    @classmethod
    def _be_price_url(cls, url: SecretStr | None) -> SecretStr | None:
        return SecretStr(check_price_url(url.get_secret_value())) if url and url.get_secret_value() else None

    @field_validator("zenith_page_url")
    @classmethod
    def _be_page_url(cls, url: str) -> str:
        return check_page_url(url)

    def model_post_init(self, _: object) -> None:
        """Check the settings, and register the exchanges of ZENITH_EXCHANGES. Raises UserError."""
        add_exchanges(self.zenith_exchanges)
        try:
            self.tickers  # noqa: B018
        except InvalidTicker as error:
            raise UserError(f"ZENITH_TICKERS: {error}") from None
        webhook = self.zenith_alert_webhook
        if webhook and not webhook.get_secret_value().startswith(("https://", "http://")):
            raise UserError("ZENITH_ALERT_WEBHOOK is not an http:// or https:// address")
        read_receivers(self.zenith_alerts)
        try:
            ZoneInfo(self.zenith_timezone)
        except (ValueError, OSError, LookupError):  # a folder of the tz database is an OSError
            raise UserError(
                f"ZENITH_TIMEZONE {self.zenith_timezone!r}: not a time zone, such as America/Sao_Paulo"
            ) from None

    @property
    def tickers(self) -> list[str]:
        """`ZENITH_TICKERS`, validated."""
        return listed_tickers(self.zenith_tickers) if self.zenith_tickers.strip() else []

    @property
    def dagster_hosts(self) -> list[str]:
        """`ZENITH_DAGSTER_HOSTS` as a list, in lower case."""
        return _listed(self.zenith_dagster_hosts.lower())

    @property
    def data_roots(self) -> list[str]:
        """Folders and URIs below which run config may name others: those of `ZENITH_DATA_ROOTS` and its siblings."""
        return [
            *_listed(self.zenith_data_roots),
            self.data_uri,
            *([str(self.zenith_csv_dir)] if self.zenith_csv_dir else []),
        ]

    @property
    def data_uri(self) -> str:
        """Root of the dataset store: `ZENITH_DATA_URI`, or the folder `data` in home."""
        return self.zenith_data_uri or str(self.home / "data")

    @property
    def reports(self) -> Path:
        """Folder of the HTML reports."""
        return self.home / "reports"

    @property
    def artifact_root(self) -> Path:
        """Folder of MLflow's artifacts if there is no MLflow server."""
        return self.home / "mlflow" / "artifacts"


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def prepare_home(settings: Settings) -> Path:
    """Create the state folder. Raises UserError if it cannot be written."""
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"ZENITH_HOME {home} cannot be created ({error.strerror}): name a folder you can write"
        ) from None
    try:
        # Not os.access: it checks permissions only, and as root accepts a read-only file system.
        with TemporaryFile(dir=home):
            return home
    except OSError as error:
        remedy = "name a folder you can write, or fix its permissions"
        raise UserError(f"ZENITH_HOME {home} cannot be written ({error.strerror}): {remedy}") from None
