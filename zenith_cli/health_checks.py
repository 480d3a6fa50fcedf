"""The checks of `zenith doctor`. Each checks one component, changes nothing and returns a finding.

A ZenithError is a finding too, because its message says what would be right. Remote services are asked once, and all
waits share the budget of the command.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib import metadata
from importlib.util import find_spec
from typing import Literal

from zenith_cli.stack.layout import SERVICES, Layout
from zenith_core.words import counted
from zenith_pipelines.patience import wait_seconds
from zenith_pipelines.settings import Settings
from zenith_serving.errors import RegistryUnavailable
from zenith_serving.registry import open_registry
from zenith_serving.settings import Settings as ServingSettings

State = Literal["ok", "warning", "failed"]

MAX_MODELS = 50  # opening thousands would take minutes
_LONGEST_SECONDS = 5  # for a service


@dataclass(frozen=True)
class Finding:
    """State of a component, and how to fix it. A warning breaks nothing that works now."""

    state: State
    says: str
    remedy: str | None = None


@dataclass(frozen=True)
class DoctorContext:
    """Settings of both packages, and the expected address of the REST service."""

    settings: Settings
    serving: ServingSettings
    service_url: str

    def production(self) -> dict[str, int]:
        """Return the Production version of each model name. Raises RegistryUnavailable, UserError."""
        if isinstance(self._answer, RegistryUnavailable):
            raise self._answer
        return self._answer

    @cached_property
    def _answer(self) -> dict[str, int] | RegistryUnavailable:
        """The registry's answer to all checks, of which only the first waits for a server that hangs."""
        try:
            return open_registry(self.serving.tracking_uri).production()
        except RegistryUnavailable as error:
            return error


def installation(context: DoctorContext) -> Finding:
    """Check that every required library is installed in a supported version."""
    problems = list(_unmet_requirements())
    if problems:
        return Finding("failed", "; ".join(problems), "`make install` installs the versions of requirements.lock")
    backend = context.settings.keras_backend
    if find_spec(backend) is None:
        return Finding("failed", f"KERAS_BACKEND {backend} is not installed", "unset KERAS_BACKEND, or install it")
    return Finding("ok", f"zenith {metadata.version('zenith')} and its requirements; Keras on {backend}")


def state_folder(context: DoctorContext) -> Finding:
    """Check that ZENITH_HOME is writable and has space for the next weeks. Raises UserError."""
    from zenith_pipelines.disk_space import WEEKS_AHEAD, disk_space

    disk, home = disk_space(context.settings), context.settings.home
    remedy = "free some space; `zenith cleanup --dry-run` lists old models and runs to delete"
    free = f"{disk.free / 1e9:.1f} GB free at {home}"
    if disk.is_critical:
        return Finding("failed", f"only {free}", remedy)
    if disk.is_short:
        needs = f"{WEEKS_AHEAD} weeks of {counted(disk.tickers, 'ticker')} need {disk.needed / 1e9:.1f} GB"
        return Finding("warning", f"{free}; {needs}", remedy)
    return Finding("ok", f"{home} · {disk.free / 1e9:.0f} GB free")


def home(context: DoctorContext) -> Finding:
    """Check that the home points to nothing outside itself: a copy would change the original."""
    from zenith_pipelines.registry.artifact_locations import locations_outside

    settings = context.settings
    if settings.mlflow_tracking_uri:
        return Finding("ok", "models are where MLFLOW_TRACKING_URI says")
    if locations := locations_outside(settings.tracking_uri):
        says = f"{len(locations)} artifact locations lead out of {settings.home}: {_some(locations, 1)}"
        return Finding("failed", says, "`zenith models` brings them in; if not, copy them in or train again")
    return Finding("ok", "can be copied and moved: everything is in it")


def price_source(context: DoctorContext) -> Finding:
    """Check that the configured source has prices. Raises ZenithError."""
    from zenith_pipelines.ingestion.sources import make_source, yahoo_pace
    from zenith_pipelines.ingestion.sources.retries import RetryPolicy
    from zenith_pipelines.ingestion.sources.yahoo import YahooSource

    name = context.settings.zenith_price_source
    source = make_source(name, csv_dir=context.settings.zenith_csv_dir)
    if isinstance(source, YahooSource):
        policy = RetryPolicy(tries=1, timeout=_seconds(), total_wait=_seconds())
        yahoo = YahooSource(retry_policy=policy, pace=yahoo_pace(context.settings))
        prices = yahoo.fetch("AAPL", since=datetime.now(UTC).date() - timedelta(days=10)).prices
        return Finding("ok", f"yahoo responds; latest AAPL price: {prices.index[-1]:%Y-%m-%d}")
    tickers = source.tickers()
    return Finding(
        "ok", f"{name}, {counted(len(tickers), 'ticker')}" if tickers is not None else f"{name}, asked at each fetch"
    )


def runs(context: DoctorContext) -> Finding:
    """Check that the database of runs and events responds. Raises ZenithError."""
    from zenith_pipelines.dagster_runtime.failures import is_unavailable
    from zenith_pipelines.dagster_runtime.instance import dagster_home, open_instance

    settings = context.settings
    if settings.database_url is None and not (dagster_home(settings) / "history" / "runs.db").exists():
        return Finding("warning", "SQLite, not created yet", "`zenith run` or `zenith ui` creates it")
    kind = "SQLite" if settings.database_url is None else "PostgreSQL"
    try:
        _connect(settings)
        with open_instance(settings) as instance:
            return Finding("ok", f"{kind}, {counted(instance.get_runs_count(), 'run')}")
    except Exception as error:
        if not is_unavailable(error):
            raise
        remedy = "start it, or fix DATABASE_URL" if settings.database_url else "find the process that has locked it"
        return Finding("failed", f"{kind} does not respond", remedy)


def registry(context: DoctorContext) -> Finding:
    """Check that MLflow responds and has Production models. Raises RegistryUnavailable, UserError."""
    if not _has_registry(context.settings):
        return Finding("warning", "SQLite, not created yet", "`zenith run` creates it")
    if count := len(context.production()):
        return Finding("ok", f"{counted(count, 'model')} in Production")
    if open_registry(context.serving.tracking_uri).versions():
        return Finding("warning", "no model in Production", "`zenith models` shows why no version was promoted")
    return Finding("warning", "no model yet", "`zenith run` trains models")


def models(context: DoctorContext) -> Finding:
    """Check that up to MAX_MODELS Production models can be loaded. Raises RegistryUnavailable, UserError."""
    from zenith_serving.errors import ModelUnavailable
    from zenith_serving.prediction.loaded_model import open_model
    from zenith_serving.published.snapshot_store import SnapshotStore

    production = sorted(context.production().items()) if _has_registry(context.settings) else []
    if not production:
        return Finding("warning", "no model in Production", "`zenith run` trains models")
    errors = {}
    source = open_registry(context.serving.tracking_uri)
    snapshots = SnapshotStore(context.serving.snapshots)
    for name, version in production[:MAX_MODELS]:
        try:
            earlier_names = snapshots.earlier_names(name.partition("-")[2])
            open_model(name, version, source.fetch(name, version), earlier_names)
        except ModelUnavailable as error:
            errors[name] = error
    if errors:
        name, reason = next(iter(errors.items()))
        kind, _, ticker = name.partition("-")
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        remedy = f"`zenith run --tickers {ticker}` trains it again"
        if _has_earlier_version(context.settings, name):
            remedy += f", `zenith rollback {ticker} {kind}` returns to the version before"
        return Finding("failed", f"{name}: {reason}{more}", f"{remedy}; until then the last good copy is served")
    count = min(MAX_MODELS, len(production))
    return Finding("ok", f"{count} of {len(production)} loaded, checksums correct")


def _has_earlier_version(settings: Settings, name: str) -> bool:
    """Return True if a rollback of the model has a version to return to."""
    from zenith_pipelines.registry.decision_log import decision_history, rollback_target
    from zenith_pipelines.registry.model_registry import ModelRegistry

    registry = ModelRegistry(settings.tracking_uri, settings.artifact_root)
    existing = {version.version for version in registry.versions(name)}
    current = registry.require_production(name).version
    return rollback_target(decision_history(registry, name), current, existing) is not None


def data(context: DoctorContext) -> Finding:
    """Check that served tickers have recent prices. Raises CorruptData, UserError."""
    from zenith_core.snapshot import STALE_AFTER_SESSIONS
    from zenith_serving.prediction.responses import age_in_sessions
    from zenith_serving.published.snapshot_store import SnapshotStore

    store = SnapshotStore(context.serving.snapshots)
    tickers, now = store.tickers(), datetime.now(UTC)
    stale = [ticker for ticker in tickers if age_in_sessions(store.get(ticker), now) > STALE_AFTER_SESSIONS]
    if not tickers:
        return Finding("warning", "no ticker is served yet", "start with `zenith run`")
    if stale:
        count = f"{len(stale)} of {counted(len(tickers), 'ticker')}"
        says = f"older than {STALE_AFTER_SESSIONS} sessions: {count}: {_some(stale)}"
        return Finding("warning", says, "`zenith job refresh_prices`; the sample prices end in 2013")
    return Finding("ok", f"{counted(len(tickers), 'ticker')}, none older than {STALE_AFTER_SESSIONS} sessions")


def cache(context: DoctorContext) -> Finding:
    """Check that Redis responds, if it is configured."""
    from redis import Redis, RedisError

    url = context.serving.redis_url
    if url is None:
        return Finding("ok", "in memory of each process; with REDIS_URL, processes share one")
    try:
        with Redis.from_url(
            url.get_secret_value(), socket_timeout=_seconds(), socket_connect_timeout=_seconds()
        ) as client:
            client.ping()
    except RedisError as error:
        remedy = "start it, or fix REDIS_URL; until then each process caches in memory"
        return Finding("failed", f"Redis: {type(error).__name__}", remedy)
    return Finding("ok", "Redis responds")


def dagster(context: DoctorContext) -> Finding:
    """Check that training over REST and the schedules can start runs."""
    from zenith_serving.errors import DagsterUnavailable
    from zenith_serving.jobs.dagster_client import DagsterAPI, Job

    api = DagsterAPI(context.serving.dagster_url)
    try:
        api.readiness(Job("refresh_prices"), ())
    except DagsterUnavailable as error:
        return Finding("warning", f"{error} ({context.serving.dagster_url})", "only schedules and /train need it")
    finally:
        api.close()
    return Finding("ok", f"{context.serving.dagster_url}: webserver, code server and daemon are running")


def service(context: DoctorContext) -> Finding:
    """Check that the REST service responds and is ready."""
    url = context.service_url
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=_seconds()) as response:
            health = json.load(response)
        state, ready = str(health["status"]), bool(health["ready"])
    except (OSError, urllib.error.URLError):
        return Finding(
            "warning", f"no response from {url}", "start it with `zenith serve`, or name its address with --url"
        )
    except (ValueError, KeyError, TypeError):
        return Finding("failed", f"{url} is not Zenith's REST service", "name its address with --url")
    if state != "ok" or not ready:
        unavailable = [
            name for name in ("registry", "cache", "snapshots") if health.get(name, {}).get("state", "ok") != "ok"
        ]
        says = f"{url} is {state}{'' if ready else ', no ticker'}{': ' + ', '.join(unavailable) if unavailable else ''}"
        return Finding("warning", says, f"see {url}/health")
    return Finding("ok", f"{url} serves {counted(health['snapshots']['tickers'], 'ticker')}")


def stack(context: DoctorContext) -> Finding:
    """Check that this shell has the settings of the stack of `zenith up`, if there is one."""
    folder = context.settings.home / "stack"
    if not (folder / "stack.env").exists():
        return Finding("ok", f"none; `zenith up` runs {', '.join(SERVICES)} on this machine")
    if f"ZENITH_HOME='{context.settings.home}'" not in (folder / "stack.env").read_text():
        return Finding("warning", f"{folder / 'stack.env'} names another home", "`zenith up` writes it anew")
    if context.settings.database_url is None:
        return Finding(
            "warning",
            f"{folder} exists, but this shell lacks its settings, so it was not checked",
            f". {folder / 'stack.env'}",
        )
    own_models = Layout(context.settings.home, 0).has_own_models
    return Finding("ok", f"{folder}, {'with models of its own' if own_models else 'with the models of its home'}")


CHECKS: dict[str, Callable[[DoctorContext], Finding]] = {
    "installation": installation,
    "state folder": state_folder,
    "home": home,
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


def _seconds() -> int:
    """Return the seconds to wait for a service, of what is left of the command's budget."""
    return min(_LONGEST_SECONDS, wait_seconds())


def _connect(settings: Settings) -> None:
    """Connect to PostgreSQL without Dagster's ten seconds of retries. Raises UserError or OperationalError."""
    from sqlalchemy import create_engine

    from zenith_pipelines.dagster_runtime.storage import database_url

    if settings.database_url is not None:
        url = database_url(settings.database_url.get_secret_value())
        create_engine(url, connect_args={"connect_timeout": _seconds()}).connect().close()


def _unmet_requirements() -> Iterator[str]:
    """Yield a line for each requirement of the installed package that is not met."""
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
            yield f"{requirement.name} {version} is installed, but {requirement.specifier} is required"


def _has_registry(settings: Settings) -> bool:
    from zenith_pipelines.registry.model_registry import ModelRegistry

    return ModelRegistry(settings.tracking_uri, settings.artifact_root).exists


def _some(names: list[str], count: int = 5) -> str:
    return ", ".join(names[:count]) + (", …" if len(names) > count else "")
