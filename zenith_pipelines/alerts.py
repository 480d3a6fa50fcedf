"""Alerts to the log, and to a webhook if one is set. A failed delivery is only logged."""

import json
import logging
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any, Literal

from zenith_pipelines.settings import Settings

TIMEOUT_SECONDS = 5.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Goes to no address but the one of the setting."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse; the response then counts as an error."""


Kind = Literal["run_failed", "stale_prices", "retraining"]
"""The kinds of alert; docs/runbook.md has the steps for each."""


@dataclass(frozen=True)
class Alert:
    """An event: a stable `kind` for programs, a line of `text` for people, and its `facts`, such as the ticker."""

    kind: Kind
    text: str
    facts: dict[str, str] = field(default_factory=dict)


def send_alert(alert: Alert, settings: Settings, log: logging.Logger) -> None:
    """Log the alert, and post it to ZENITH_ALERT_WEBHOOK as JSON: `kind`, `text`, `at`, and its facts.

    Chat services show `text`. No message names the address, because it may hold a secret.
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
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=TIMEOUT_SECONDS):
            pass
    except (OSError, HTTPException, ValueError) as error:
        reason = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
        log.warning("the alert was not delivered to ZENITH_ALERT_WEBHOOK: %s", reason)
