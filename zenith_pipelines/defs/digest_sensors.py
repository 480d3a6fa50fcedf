"""Sensors that tell the receivers of ZENITH_ALERTS: decisions about models, a full disk, and each day's digest.

Without a receiver for them they do nothing.
"""

from datetime import UTC, datetime

import dagster as dg

from zenith_pipelines.alert_receivers import read_receivers
from zenith_pipelines.alerts.decisions import DecisionCursor, decision_alerts
from zenith_pipelines.alerts.delivery import send_alerts
from zenith_pipelines.alerts.digest import digest, disk_alert, last_digest_time, read_day
from zenith_pipelines.defs.alert_sensors import stale_tickers
from zenith_pipelines.defs.sensors import always_on_sensor
from zenith_pipelines.disk_space import disk_space
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.settings import Settings

_NOBODY = "no receiver of ZENITH_ALERTS gets it"


@always_on_sensor(seconds=60)
def promotions_and_rollbacks(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Sends an alert for each promotion, refusal and rollback, wherever it was made."""
    settings = Settings()
    if not read_receivers(settings.zenith_alerts).wants("promoted", "refused", "rolled_back"):
        return dg.SkipReason(_NOBODY)
    cursor = DecisionCursor.from_json(context.cursor, _now())
    versions, cursor = cursor.next(_registry(settings))
    alerts = decision_alerts(versions)
    send_alerts(alerts, settings, context.log)
    return dg.SensorResult(cursor=cursor.to_json(), skip_reason=f"{len(alerts)} decisions told")


@always_on_sensor(seconds=600)
def low_disk_space(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Sends an alert when the disk of the home has no space for the next weeks, once for each shortage."""
    settings = Settings()
    if not read_receivers(settings.zenith_alerts).wants("disk_space"):
        return dg.SkipReason(_NOBODY)
    disk = disk_space(settings)
    if disk.is_short and context.cursor != "short":
        send_alerts([disk_alert(disk)], settings, context.log)
    cursor = "short" if disk.is_short else "enough"
    return dg.SensorResult(cursor=cursor, skip_reason=f"{disk.free / 1e9:.1f} GB free")


@always_on_sensor(seconds=60)
def daily_digest(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Sends one message a day, at `digest_at` of ZENITH_ALERTS, with all that happened since the last."""
    settings, now = Settings(), _now()
    table = read_receivers(settings.zenith_alerts)
    if not table.wants("digest"):
        return dg.SkipReason(_NOBODY)
    due = last_digest_time(table, settings, now)
    last = datetime.fromisoformat(context.cursor) if context.cursor else due  # the first one is the next one due
    if due <= last:
        return dg.SensorResult(cursor=last.isoformat(), skip_reason=f"the last digest was of {last.isoformat()}")
    stale = sorted(stale_tickers(context.instance, settings, now))
    day = read_day(context.instance, _registry(settings), last, stale, disk_space(settings))
    send_alerts([digest(day, due)], settings, context.log)
    return dg.SensorResult(cursor=due.isoformat(), skip_reason="the digest was sent")


def _registry(settings: Settings) -> ModelRegistry:
    return ModelRegistry(settings.tracking_uri, settings.artifact_root)


def _now() -> datetime:
    return datetime.now(UTC)
