"""The newest alerts of all tickers, as the pipelines recorded them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from zenith_core.errors import CorruptData
from zenith_core.names import ALERT_DAYS, ALL_TICKERS
from zenith_serving.published.dataset_reader import DatasetReader, Stamp
from zenith_serving.schemas.forecasts import TickerAlert


class AlertRecord:
    """Reads the record once, and again when it has been replaced."""

    def __init__(self, file: DatasetReader) -> None:
        self._file = file
        self._entry: tuple[Stamp | None, Mapping[str, Any]] = (None, {})

    def of(self, ticker: str, now: datetime) -> list[TickerAlert]:
        """Return the alerts of a ticker in the last ALERT_DAYS days, the newest first; none if they cannot be read."""
        alerts = [_alert(kind, moment) for kind, moment in _mapping(self._moments().get(ticker)).items()]
        recent = [alert for alert in alerts if alert and (now - alert.at).days < ALERT_DAYS]
        return sorted(recent, key=lambda alert: alert.at, reverse=True)

    def _moments(self) -> Mapping[str, Any]:
        stamp = self._file.stamp(ALL_TICKERS)
        if self._entry[0] != stamp:
            try:
                self._entry = stamp, self._file.find(ALL_TICKERS) or {}
            except CorruptData:  # logged
                self._entry = stamp, {}
        return self._entry[1]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _alert(kind: str, moment: Any) -> TickerAlert | None:
    """Return an alert; None for a kind that has no place in the table, as a promotion, or that this release lacks."""
    try:
        return TickerAlert.model_validate({"kind": kind, "at": moment})
    except ValidationError:
        return None
