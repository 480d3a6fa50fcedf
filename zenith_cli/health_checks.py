"""What `zenith doctor` looks at. Each checkup looks at one part, leaves it as it is, and says what it found.

What a part raises on purpose is a finding too: its message says what would be right. Whatever takes an answer from
somewhere else is asked once, with a time limit.
"""

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata
from importlib.util import find_spec
from typing import Literal

from zenith_cli.stack.layout import SERVICES
from zenith_pipelines.settings import Settings, prepare_home
from zenith_serving.settings import Settings as ServingSettings

State = Literal["ok", "warning", "failed"]

MODELS_OPENED = 50  # at most: with thousands, a look at all of them would take minutes
_SPACE_BYTES = 1e9  # a ticker leaves some 12 MB (docs/capacity.md), and databases that find no room stop everything
_SECONDS = 5.0


@dataclass(frozen=True)
class Finding:
    """What is the matter with a part, and what would mend it; a warning stops nothing that works now."""

    state: State
    says: str
    remedy: str | None = None


@dataclass(frozen=True)
class Patient:
    """What there is to look at: the settings of both packages, and where the REST service is thought to be."""

    settings: Settings
    serving: ServingSettings
    service_url: str


def installation(patient: Patient) -> Finding:
    """Whether every library that Zenith names is installed in a version that it can work with."""
    wrong = list(_unmet_requirements())
    if wrong:
        return Finding("failed", "; ".join(wrong), "`make install` installs what requirements.lock says")
    backend = patient.settings.keras_backend
    if find_spec(backend) is None:
        return Finding("failed", f"KERAS_BACKEND {backend} is not installed", "leave KERAS_BACKEND out, or install it")
    return Finding("ok", f"zenith {metadata.version('zenith')} and all that it needs; Keras on {backend}")


def state_folder(patient: Patient) -> Finding:
    """Whether ZENITH_HOME can be written, and has room. Raises UserError."""
    home = prepare_home(patient.settings)
    free = shutil.disk_usage(home).free
    if free < _SPACE_BYTES:
        remedy = "free some; `zenith cleanup --dry-run` lists old models that may go"
        return Finding("failed", f"{free / 1e9:.1f} GB are free at {home}", remedy)
    return Finding("ok", f"{home} · {free / 1e9:.0f} GB free")


def price_source(patient: Patient) -> Finding:
    """Whether prices are to be had from the source of the settings. Raises ZenithError."""
    from zenith_pipelines.ingestion.sources import make_source
    from zenith_pipelines.ingestion.sources.yahoo import YahooSource
    from zenith_pipelines.ingestion.sources.yahoo_retry import RetryPolicy

    name = patient.settings.zenith_price_source
    source = make_source(name, csv_dir=patient.settings.zenith_csv_dir)
    if isinstance(source, YahooSource):
        once = YahooSource(retry_policy=RetryPolicy(tries=1, timeout=_SECONDS))
        prices = once.fetch("AAPL", since=datetime.now(UTC).date() - timedelta(days=10)).prices
        return Finding("ok", f"yahoo answers, with prices of AAPL until {prices.index[-1]:%Y-%m-%d}")
    return Finding("ok", f"{name}, {len(source.tickers() or ())} tickers")


def runs(patient: Patient) -> Finding:
    """Whether the database of runs and events answers. Raises ZenithError."""
    from zenith_pipelines.dagster_runtime.failures import is_unavailable
    from zenith_pipelines.dagster_runtime.instance import dagster_home, open_instance

    settings = patient.settings
    if settings.database_url is None and not (dagster_home(settings) / "history" / "runs.db").exists():
        return Finding("warning", "SQLite, not made yet", "`zenith run` or `zenith ui` makes it")
    kind = "SQLite" if settings.database_url is None else "PostgreSQL"
    try:
        _connect(settings)
        with open_instance(settings) as instance:
            return Finding("ok", f"{kind}, {instance.get_runs_count()} runs")
    except Exception as error:
        if not is_unavailable(error):
            raise
        remedy = "start it, or mend DATABASE_URL" if settings.database_url else "look for who holds it locked"
        return Finding("failed", f"{kind} does not answer", remedy)


def registry(patient: Patient) -> Finding:
    """Whether MLflow answers. Raises RegistryUnavailable, UserError."""
    from zenith_serving.registry import open_registry

    if not _has_registry(patient.settings):
        return Finding("warning", "SQLite, not made yet", "`zenith run` makes it")
    count = len(open_registry(patient.serving.tracking_uri).production())
    if not count:
        return Finding("warning", "no model in Production", "`zenith models` says why no version was promoted")
    return Finding("ok", f"{count} models in Production")


def models(patient: Patient) -> Finding:
    """Whether what is in Production can be loaded, MODELS_OPENED of them. Raises RegistryUnavailable, UserError."""
    from zenith_serving.errors import ModelUnavailable
    from zenith_serving.prediction.loaded_model import open_model
    from zenith_serving.registry import open_registry

    source = open_registry(patient.serving.tracking_uri)
    production = sorted(source.production().items()) if _has_registry(patient.settings) else []
    if not production:
        return Finding("warning", "none to open", "`zenith run` trains them")
    broken = []
    for name, version in production[:MODELS_OPENED]:
        try:
            open_model(name, version, source.fetch(name, version))
        except ModelUnavailable as error:
            broken.append(f"{name}: {error}")
    if broken:
        others = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        remedy = "`zenith rollback`, or train it again; the last good copy is served meanwhile"
        return Finding("failed", broken[0] + others, remedy)
    looked = min(MODELS_OPENED, len(production))
    return Finding("ok", f"{looked} of {len(production)} opened, each as its checksum says")


def data(patient: Patient) -> Finding:
    """Whether the tickers that are served have prices of late. Raises CorruptData, UserError."""
    from zenith_core.snapshot import STALE_AFTER_SESSIONS
    from zenith_serving.prediction.responses import age_in_sessions
    from zenith_serving.prediction.snapshot_store import SnapshotStore

    store = SnapshotStore(patient.serving.snapshots)
    tickers, now = store.tickers(), datetime.now(UTC)
    stale = [ticker for ticker in tickers if age_in_sessions(store.get(ticker), now) > STALE_AFTER_SESSIONS]
    if not tickers:
        return Finding("warning", "no ticker is served yet", "`zenith run`")
    if stale:
        says = f"{len(stale)} of {len(tickers)} tickers are older than {STALE_AFTER_SESSIONS} sessions: {_some(stale)}"
        return Finding("warning", says, "`zenith job refresh_prices`; the sample source ends in 2013")
    return Finding("ok", f"{len(tickers)} tickers, none older than {STALE_AFTER_SESSIONS} sessions")


def cache(patient: Patient) -> Finding:
    """Whether Redis answers, if there is to be one."""
    from redis import Redis, RedisError

    url = patient.serving.redis_url
    if url is None:
        return Finding("ok", "in each process; REDIS_URL would give several one")
    try:
        with Redis.from_url(url.get_secret_value(), socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS) as client:
            client.ping()
    except RedisError as error:
        remedy = "start it, or mend REDIS_URL; answers come from memory meanwhile"
        return Finding("failed", f"Redis: {type(error).__name__}", remedy)
    return Finding("ok", "Redis answers")


def dagster(patient: Patient) -> Finding:
    """Whether a training that is asked for over REST would start, and schedules run."""
    from zenith_serving.errors import DagsterUnavailable
    from zenith_serving.jobs.dagster_client import DagsterAPI, Job

    api = DagsterAPI(patient.serving.dagster_url)
    try:
        api.readiness(Job("refresh_prices"), ())
    except DagsterUnavailable as error:
        return Finding("warning", f"{error} ({patient.serving.dagster_url})", "only schedules and /train need it")
    finally:
        api.close()
    return Finding("ok", f"{patient.serving.dagster_url}: webserver, code server and daemon are at work")


def service(patient: Patient) -> Finding:
    """Whether the REST service answers, and with all that it needs."""
    url = patient.service_url
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=_SECONDS) as answer:
            health = json.load(answer)
        state, ready = str(health["status"]), bool(health["ready"])
    except (OSError, urllib.error.URLError):
        return Finding("warning", f"nothing answers at {url}", "`zenith serve` starts it; --url names another address")
    except (ValueError, KeyError, TypeError):
        return Finding("failed", f"what answers at {url} is not Zenith", "--url names another address")
    if state != "ok" or not ready:
        away = [name for name in ("registry", "cache") if health.get(name, {}).get("state") != "ok"]
        says = f"{url} is {state}{'' if ready else ', has no ticker'}{': ' + ', '.join(away) if away else ''}"
        return Finding("warning", says, f"{url}/health says more")
    return Finding("ok", f"{url} answers for {health['snapshots']['tickers']} tickers")


def stack(patient: Patient) -> Finding:
    """Whether a stack of `zenith up` is meant, of which this shell was not told."""
    folder = patient.settings.home / "stack"
    if not (folder / "stack.env").exists():
        return Finding("ok", f"none here; `zenith up` runs {', '.join(SERVICES)} on this machine")
    if patient.settings.database_url is None:
        return Finding("warning", f"there is one in {folder}, not looked at", f". {folder / 'stack.env'}")
    return Finding("ok", f"{folder}")


CHECKUPS: dict[str, Callable[[Patient], Finding]] = {
    "installation": installation,
    "state folder": state_folder,
    "price source": price_source,
    "runs and events": runs,
    "MLflow": registry,
    "models": models,
    "data": data,
    "cache": cache,
    "Dagster": dagster,
    "REST service": service,
    "stack": stack,
}


def _connect(settings: Settings) -> None:
    """Ask PostgreSQL once, where Dagster would for ten seconds. Raises UserError, and SQLAlchemy's OperationalError."""
    from sqlalchemy import create_engine

    from zenith_pipelines.dagster_runtime.storage import database_url

    if settings.database_url is not None:
        url = database_url(settings.database_url.get_secret_value())
        create_engine(url, connect_args={"connect_timeout": int(_SECONDS)}).connect().close()


def _unmet_requirements() -> Iterator[str]:
    """What the installed package says it needs, and has not."""
    from packaging.requirements import Requirement

    for text in metadata.requires("zenith") or ():
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield f"{requirement.name} is not installed"
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement.name} {version} is installed, {requirement.specifier} is needed"


def _has_registry(settings: Settings) -> bool:
    from zenith_pipelines.registry.model_registry import ModelRegistry

    return ModelRegistry(settings.tracking_uri, settings.artifact_root).exists


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
