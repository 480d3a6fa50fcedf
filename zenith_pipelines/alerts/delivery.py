"""Deliver alerts: to the log, to the record, to the webhook, and by Apprise to the receivers.

A failed delivery is only logged.

No message names an address, because it may hold a secret, and no redirect is followed.
"""

import json
import logging
import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from zenith_core.words import Language, Text
from zenith_pipelines.alert_receivers import Receiver, read_receivers
from zenith_pipelines.alerts.alert import Alert
from zenith_pipelines.alerts.record import record_alerts
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.settings import Settings

if TYPE_CHECKING:
    from apprise import AppriseResult

TIMEOUT_SECONDS = 5.0
RETRIES = 2  # after the first attempt, by Apprise
RETRY_SECONDS = 1.0
MOST_LINES = 20  # of one message; a weekly retraining can refuse thousands of versions
WEBHOOK_KINDS = ("run_failed", "stale_prices", "retraining")
"""The kinds that ZENITH_ALERT_WEBHOOK gets, as ever; all others need a receiver."""


@dataclass(frozen=True)
class Delivery:
    """The outcome of a message to a receiver; `problem` is None if it was accepted."""

    receiver: str
    problem: str | None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Goes to no address but the one of the setting."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse; the response then counts as an error."""


def send_alerts(alerts: Sequence[Alert], settings: Settings, log: logging.Logger) -> None:
    """Log and record the alerts, post those of WEBHOOK_KINDS to ZENITH_ALERT_WEBHOOK, message each receiver once."""
    for alert in alerts:
        log.warning("%s: %s", alert.kind, alert.text.spoken())
        if alert.kind in WEBHOOK_KINDS and settings.zenith_alert_webhook is not None:
            _post(alert, settings.zenith_alert_webhook.get_secret_value(), log)
    try:
        record_alerts(alerts, DatasetStore(settings.data_uri), datetime.now(UTC))
    except Exception as error:  # each file system has errors of its own
        log.warning("the alerts were not recorded for the table of all tickers: %r", error)
    receivers = read_receivers(settings.zenith_alerts).to
    messages = {
        receiver: message for receiver in receivers if (message := [a for a in alerts if a.kind in receiver.alerts])
    }
    for delivery in deliver(messages):
        if delivery.problem:
            log.warning("the alert was not delivered to %r: %s", delivery.receiver, delivery.problem)


def deliver(messages: dict[Receiver, list[Alert]]) -> list[Delivery]:
    """Send each receiver its alerts as one message, all at the same time, with retries."""
    if not messages:
        return []
    with ThreadPoolExecutor(max_workers=min(len(messages), 16)) as pool:
        problems = pool.map(lambda item: _notify(*item), messages.items())
        return [Delivery(receiver.name, problem) for receiver, problem in zip(messages, problems, strict=True)]


def message_of(alerts: Sequence[Alert], language: Language) -> tuple[str, str]:
    """Return title and body of the message that tells the alerts."""
    kinds = {alert.kind for alert in alerts}
    title = f"alert.title.{kinds.pop()}" if len(kinds) == 1 else "alert.title.several"
    lines = [line for alert in alerts for line in (alert.text, *alert.lines)]
    texts = [line.spoken(language) for line in lines[:MOST_LINES]]
    if len(lines) > MOST_LINES:
        texts.append(Text("alert.more", {"n": len(lines) - MOST_LINES}).spoken(language))
    return Text(title, {"n": len(alerts)}).spoken(language), "\n".join(texts)


def _notify(receiver: Receiver, alerts: Sequence[Alert]) -> str | None:
    """Send a message by Apprise. Return the problem, or None."""
    import apprise

    asset = apprise.AppriseAsset(
        app_id="Zenith",
        app_desc="Zenith",
        http_redirects=False,
        default_service_retry=RETRIES,
        default_service_wait=RETRY_SECONDS,
        storage_mode="memory",
        service_timeout=40.0,  # a sensor has 60 s
    )
    _keep_out_of_logs()
    service = apprise.Apprise.instantiate(receiver.url.get_secret_value(), asset=asset)
    if service is None:
        return "Apprise does not understand the address"
    service.redirects = False  # even if the address asks for them
    sender = apprise.Apprise(asset=asset)
    sender.add(service)
    title, body = message_of(alerts, receiver.language)
    result = sender.notify(body=body, title=title, body_format="text")
    return None if result else _problem(result)


def _problem(result: "AppriseResult") -> str:
    """Return the HTTP status that Apprise logged, and nothing else of what it says."""
    sayings = [entry.message for service in result for attempt in service.attempts for entry in attempt.logs]
    statuses = re.findall(r"error=(\d{3})\b", " ".join(sayings))
    return f"HTTP {statuses[-1]}" if statuses else "no answer, or it was refused"


def _keep_out_of_logs() -> None:
    """Keep the messages of Apprise and its HTTP client out of all logs, because they may name addresses."""
    logging.getLogger("apprise").propagate = False
    logging.getLogger("urllib3.connectionpool").setLevel(logging.WARNING)


def _post(alert: Alert, address: str, log: logging.Logger) -> None:
    """Post an alert as JSON: `kind`, `text`, `at`, and its facts. Chat services show `text`."""
    body = {
        "kind": alert.kind,
        "text": alert.text.spoken(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        **alert.facts,
    }
    headers = {"content-type": "application/json", "user-agent": "zenith"}
    request = urllib.request.Request(address, json.dumps(body).encode(), headers)
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=TIMEOUT_SECONDS):
            pass
    except (OSError, HTTPException, ValueError) as error:
        reason = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
        log.warning("the alert was not delivered to ZENITH_ALERT_WEBHOOK: %s", reason)
