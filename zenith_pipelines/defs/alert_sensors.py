"""Sensors that send alerts: models that no longer fit, stale prices, failed runs.

In scope: how often a sensor runs, and the cursor by which one cause sends one alert. Thresholds and logic are
in zenith_core/evaluation/drift.py, sending is in zenith_pipelines/alerts.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

import dagster as dg

from zenith_core.errors import NotAvailable, ZenithError
from zenith_core.evaluation.drift import coverage_breach, feature_drift
from zenith_core.forecasting.abstention import Limits
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import sessions_closed_since
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.table import kinds_of
from zenith_core.snapshot import STALE_AFTER_SESSIONS, ServingSnapshot
from zenith_core.words import Text
from zenith_pipelines.alerts.alert import Alert
from zenith_pipelines.alerts.delivery import send_alerts
from zenith_pipelines.dagster_runtime.failures import reason_of, reason_of_end
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.defs.jobs import retrain_model
from zenith_pipelines.defs.run_requests import retrain_request
from zenith_pipelines.defs.sensors import always_on_sensor
from zenith_pipelines.production.ledger import FORECASTS, LEDGER
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import PARTITIONS, SERVED, known_tickers, removal

_RUNNING = dg.DefaultSensorStatus.RUNNING
_COOLDOWN = timedelta(days=7)
_AGELESS = ("sample", "simulated")  # sources without new prices, which are never stale
_MAX_EVALUATIONS = 200  # of drift in one tick: some 10 ms each
_EVALUATED = (LEDGER, SERVED, *(f"{kind}_model" for kind in kinds_of("signal")))


@dataclass(frozen=True)
class _DriftState:
    """The cursor of `retraining_on_drift`.

    launches:  the moment of the last run by ticker
    pending:   the tickers to evaluate; one that was launched waits here for the end of its week
    newest:    the number of the newest event that was considered, or None to consider every ticker
    """

    launches: dict[str, str] = field(default_factory=dict)
    pending: list[str] = field(default_factory=list)
    newest: int | None = None

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Return the state of a cursor; that of an earlier release is `launches` alone."""
        return cls(**document) if "launches" in document else cls(launches=document)

    def with_changes(self, instance: dg.DagsterInstance, tickers: Sequence[str]) -> "_DriftState":
        """Return the state with the tickers pending whose data or models were materialized since."""
        events = [
            instance.get_latest_storage_id_by_partition(dg.AssetKey(asset), dg.DagsterEventType.ASSET_MATERIALIZATION)
            for asset in _EVALUATED
        ]
        changes = {
            ticker for ids in events for ticker, number in ids.items() if self.newest is None or number > self.newest
        }
        pending = {*self.pending, *changes, *([] if self.newest is not None else tickers)}
        newest = max((number for ids in events for number in ids.values()), default=0)
        order = {ticker: place for place, ticker in enumerate(self.pending)}  # those that wait longest come first
        return replace(
            self,
            pending=sorted(pending & set(tickers), key=lambda ticker: (order.get(ticker, len(order)), ticker)),
            newest=max(newest, self.newest or 0),
        )


@always_on_sensor(seconds=60, job=retrain_model)
def retraining_on_drift(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Retrains a ticker whose bands miss too often, or whose inputs are outside the range of the training.

    A ticker is evaluated after its data or its model changed. One cause launches one run: after it, earlier forecasts
    no longer count, and the next run is a week later at least.
    """
    settings, now = Settings(), _now()
    store, tickers = DatasetStore(settings.data_uri), known_tickers(context.instance)
    state = _DriftState.from_json(json.loads(context.cursor or "{}")).with_changes(context.instance, tickers)
    due = [ticker for ticker in state.pending if not _is_recent(state.launches.get(ticker), now)][:_MAX_EVALUATIONS]
    requests, alerts = [], []
    for ticker in due:
        last = state.launches.get(ticker)
        if reason := _retraining_reason(store, ticker, datetime.fromisoformat(last) if last else None, context):
            text = Text("alert.retraining", {"ticker": ticker, "reason": reason})
            alerts.append(Alert("retraining", text, {"ticker": ticker}))
            run_key = f"{ticker}-misfit-{now:%Y-%m-%dT%H}"
            requests.append(retrain_request(ticker, run_key=run_key, reason=reason.spoken()))
            state.launches[ticker] = now.isoformat()
    send_alerts(alerts, settings, context.log)
    new_runs = {request.partition_key for request in requests}  # evaluated once more when their week is over
    fitting = {*due} - new_runs
    state = replace(state, pending=[ticker for ticker in state.pending if ticker not in fitting])
    skip_reason = None if requests else "every model fits its data"
    return dg.SensorResult(run_requests=requests, cursor=json.dumps(asdict(state)), skip_reason=skip_reason)


@always_on_sensor(seconds=3600)
def stale_prices(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Sends an alert for each ticker whose prices are more than 5 sessions of its exchange old, once for each gap."""
    settings = Settings()
    last_alerts: dict[str, str] = json.loads(context.cursor or "{}")
    ages = stale_tickers(context.instance, settings, _now())
    stale = {ticker: last for ticker, (last, _) in ages.items()}
    alerts = [
        Alert(
            "stale_prices",
            Text("alert.stale_prices", {"ticker": ticker, "n": sessions, "last": last}),
            {"ticker": ticker, "last": last},
        )
        for ticker, (last, sessions) in ages.items()
        if last_alerts.get(ticker) != last
    ]
    send_alerts(alerts, settings, context.log)
    skip_reason = f"stale: {', '.join(stale)}" if stale else "all prices are fresh"
    return dg.SensorResult(cursor=json.dumps(stale), skip_reason=skip_reason)


@dg.run_failure_sensor(
    minimum_interval_seconds=15,
    default_status=_RUNNING,
    description="Sends an alert for each failed run, with its reason.",
)
def failed_runs(context: dg.RunFailureSensorContext) -> None:
    """Sends an alert for each failed run, with its reason. For a removed ticker, the run's log gets the reason."""
    run = context.dagster_run
    ticker = run.tags.get("dagster/partition")
    if ticker and not context.instance.has_dynamic_partition(PARTITIONS, ticker):
        context.instance.report_engine_event(removal(ticker), run)
        return
    subject = Text("alert.job", {"job": run.job_name, "ticker": ticker}) if ticker else run.job_name
    text = Text("alert.run_failed", {"subject": subject, "reason": _reason(context)})
    facts = {"job": run.job_name, "run_id": run.run_id, **({"ticker": ticker} if ticker else {})}
    send_alerts([Alert("run_failed", text, facts)], Settings(), context.log)


def stale_tickers(instance: dg.DagsterInstance, settings: Settings, now: datetime) -> dict[str, tuple[str, int]]:
    """Return the tickers whose prices are stale, with the last day and the sessions that have closed since."""
    store = DatasetStore(settings.data_uri)
    ages = {ticker: _age(store, ticker, now) for ticker in known_tickers(instance)}
    return {ticker: age for ticker, age in ages.items() if age[1] > STALE_AFTER_SESSIONS}


def _reason(context: dg.RunFailureSensorContext) -> str:
    for event in context.get_step_failure_events():
        return f"{event.step_key}: {reason_of(event.step_failure_data.error)[0]}"
    logs = context.instance.all_logs(context.dagster_run.run_id, dg.DagsterEventType.ENGINE_EVENT)
    return reason_of_end(log.message for log in logs) or context.failure_event.message or "no reason recorded"


def _retraining_reason(
    store: DatasetStore, ticker: str, since: datetime | None, context: dg.SensorEvaluationContext
) -> Text | None:
    """Return the reason to retrain the ticker, or None, also if its data are missing or corrupt."""
    try:
        if breach := coverage_breach(store.read(LEDGER, ticker).tables[FORECASTS], since):
            return breach
        model = store.facts(f"{ANSWERS.of(ticker)['signal']}_model", ticker)
        snapshot = ServingSnapshot.from_json(store.facts(SERVED, ticker)).for_spec(model["feature_spec"])
        return feature_drift(snapshot, Limits.from_json(model["study"]["limits"])) if snapshot else None
    except NotAvailable:
        return None
    except (ZenithError, KeyError) as error:
        context.log.warning("%s cannot be evaluated: %r", ticker, error)
        return None


def _is_recent(launch: str | None, now: datetime) -> bool:
    return launch is not None and now - datetime.fromisoformat(launch) < _COOLDOWN


def _age(store: DatasetStore, ticker: str, now: datetime) -> tuple[str, int]:
    """Return the day of the last prices and the number of sessions closed since then; 0 if no prices can come."""
    try:
        last = store.facts("cleaned_prices", ticker)["last"]
        # A session takes a day at least, so a fresh ticker needs no calendar.
        if last is None or (now.date() - date.fromisoformat(last)).days <= STALE_AFTER_SESSIONS:
            return "", 0
        if store.facts("raw_prices", ticker)["source"] in _AGELESS:
            return "", 0
    except ZenithError:
        return "", 0
    return last, len(sessions_closed_since(exchange_of(ticker), date.fromisoformat(last), now))


def _now() -> datetime:
    return datetime.now(UTC)
