"""Telling people: in the log, and by a webhook if one is named. An alert that cannot be delivered stops nothing."""

import json
import logging
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Literal

from zenith_pipelines.settings import Settings

TIMEOUT_SECONDS = 5.0

Kind = Literal["run_failed", "stale_prices", "retraining"]
"""The kinds of alert; docs/runbook.md says of each what to do."""


@dataclass(frozen=True)
class Alert:
    """What happened: a stable `kind` for programs, a line of `text` for people, and names that belong to it."""

    kind: Kind
    text: str
    facts: dict[str, str] = field(default_factory=dict)


def send_alert(alert: Alert, settings: Settings, log: logging.Logger) -> None:
    """Log the alert, and post it to ZENITH_ALERT_WEBHOOK as JSON: `kind`, `text`, `at`, and its facts.

    Chat services show `text`. The address may hold a secret, so no message names it.
    """
    log.warning("%s: %s", alert.kind, alert.text)
    if settings.zenith_alert_webhook is None:
        return
    body = {
        "kind": alert.kind,
        "text": alert.text,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        **alert.facts,
    }
    request = urllib.request.Request(
        settings.zenith_alert_webhook.get_secret_value(),
        json.dumps(body).encode(),
        {"content-type": "application/json", "user-agent": "zenith"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
            pass
    except (OSError, HTTPException, ValueError) as error:
        why = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
        log.warning("the alert was not delivered to ZENITH_ALERT_WEBHOOK: %s", why)
