"""The daily digest: one message that tells a day, read from the records of what happened, not from sent alerts.

So it also has what no alert reached.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from zenith_core.asset_selection import RETRAIN
from zenith_core.words import Text
from zenith_pipelines.alert_receivers import Kind, ReceiverTable
from zenith_pipelines.alerts.alert import Alert
from zenith_pipelines.alerts.decisions import decided_since, decision_alerts
from zenith_pipelines.disk_space import DiskSpace
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

_NAMES = 10  # shown of a line
_DECISIONS: tuple[Kind, ...] = ("promoted", "refused", "rolled_back")


@dataclass(frozen=True)
class Day:
    """The events of a period, as subjects: `AAPL LSTM 3`, `refresh_prices IBM`, tickers."""

    decisions: Sequence[Alert]
    failures: Sequence[str]
    breaches: Sequence[str]
    stale: Sequence[str]
    disk: DiskSpace


def last_digest_time(table: ReceiverTable, settings: Settings, now: datetime) -> datetime:
    """Return the newest moment at or before `now` at which a digest is due."""
    local = now.astimezone(ZoneInfo(settings.zenith_timezone))
    due = datetime.combine(local.date(), table.digest_at, local.tzinfo)
    return due if due <= local else due - timedelta(days=1)


def read_day(
    instance: "dg.DagsterInstance", registry: ModelRegistry, since: datetime, stale: Sequence[str], disk: DiskSpace
) -> Day:
    """Read the events since a moment from MLflow and Dagster."""
    import dagster as dg

    failures = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    retrainings = dg.RunsFilter(job_name=RETRAIN, created_after=since)
    decisions = decision_alerts(decided_since(registry, since.strftime("%Y-%m-%dT%H:%M:%S")))
    return Day(
        decisions,
        [_subject(run) for run in instance.get_runs(failures)],
        [run.tags["dagster/partition"] for run in instance.get_runs(retrainings) if "zenith/reason" in run.tags],
        stale,
        disk,
    )


def digest(day: Day, now: datetime) -> Alert:
    """Return the message of a period: a title, and a line for each kind of event, also if there was none."""
    counts = Counter(alert.kind for alert in day.decisions)
    title = Text("digest.title", {"date": now.date().isoformat(), **{kind: counts[kind] for kind in _DECISIONS}})
    subjects = {kind: [_model(alert) for alert in day.decisions if alert.kind == kind] for kind in _DECISIONS}
    lines = [
        *(_line(f"digest.{kind}", subjects[kind]) for kind in _DECISIONS),
        _line("digest.retraining", day.breaches),
        _line("digest.run_failed", day.failures),
        _line("digest.stale_prices", day.stale),
        Text("digest.disk_space.short" if day.disk.is_short else "digest.disk_space", _gigabytes(day.disk)),
    ]
    return Alert("digest", title, lines=tuple(lines))


def disk_alert(disk: DiskSpace) -> Alert:
    """Return the alert of a disk that will be full."""
    return Alert("disk_space", Text("alert.disk_space", _gigabytes(disk)), {"free_bytes": f"{disk.free:.0f}"})


def _gigabytes(disk: DiskSpace) -> dict[str, float]:
    return {"free": disk.free / 1e9, "needed": disk.needed / 1e9}


def _line(key: str, subjects: Sequence[str | Text]) -> Text:
    if not subjects:
        return Text("digest.none", {"what": Text(key)})
    rest = len(subjects) - _NAMES
    names = (*subjects[:_NAMES], *([Text("digest.others", {"n": rest})] if rest > 0 else ()))
    return Text("digest.line", {"what": Text(key), "count": len(subjects), "names": names})


def _model(alert: Alert) -> Text:
    return Text("digest.version", {key: alert.text.values[key] for key in ("subject", "version")})


def _subject(run: "dg.DagsterRun") -> str:
    return " ".join(filter(None, [run.job_name, run.tags.get("dagster/partition")]))
