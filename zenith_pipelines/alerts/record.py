"""Record the alerts of tickers where the service reads them, for the table of all tickers."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from threading import Lock

from zenith_core.errors import ZenithError
from zenith_core.names import ALERT_DAYS, ALERTS, ALL_TICKERS
from zenith_pipelines.alerts.alert import Alert
from zenith_pipelines.datasets.store import Dataset, DatasetStore

_writing = Lock()  # sensors run side by side in one process


def record_alerts(alerts: Sequence[Alert], store: DatasetStore, now: datetime) -> None:
    """Add the moment of each alert that names a ticker, and drop those of more than ALERT_DAYS ago.

    A record that cannot be read begins anew.
    """
    own = [alert for alert in alerts if "ticker" in alert.facts]
    if not own:
        return
    with _writing:
        try:
            moments = _recent(store.facts(ALERTS, ALL_TICKERS), now)
        except (ZenithError, AttributeError, TypeError, ValueError):
            moments = {}
        for alert in own:
            moments.setdefault(alert.facts["ticker"], {})[alert.kind] = now.isoformat(timespec="seconds")
        store.write(ALERTS, ALL_TICKERS, Dataset(facts=moments))


def _recent(moments: Mapping[str, Mapping[str, str]], now: datetime) -> dict[str, dict[str, str]]:
    """Return the moments of less than ALERT_DAYS ago by ticker and kind."""
    since = now - timedelta(days=ALERT_DAYS)
    recent = {
        ticker: {kind: moment for kind, moment in kinds.items() if datetime.fromisoformat(moment) > since}
        for ticker, kinds in moments.items()
    }
    return {ticker: kinds for ticker, kinds in recent.items() if kinds}
