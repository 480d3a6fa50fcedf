"""A client of the part of Dagster's GraphQL API that serving needs. Dagster itself is never imported.

Queries, and how their answers are read; the rules of launching are in `zenith_serving.jobs.launcher`. A part of Dagster
that cannot answer or start a run raises DagsterUnavailable, which names it.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zenith_core.errors import errors_by_name
from zenith_core.names import SKIPPED
from zenith_core.outages import describe_outage
from zenith_serving.errors import DagsterUnavailable, UnknownRun

if TYPE_CHECKING:
    import httpx

PARTITION = "dagster/partition"
QUERY_SECONDS = 1.8  # the client gets its 503 within 2 s
LAUNCH_SECONDS = 20.0  # creating a run takes seconds on a busy machine; all of Dagster has just answered
PAUSE_SECONDS = 1.0  # after a timeout, so that waiting requests fail at once
HEARTBEAT_SECONDS = 90.0  # a daemon sends one every 30 s; Dagster itself waits for half an hour
_REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "zenith"}  # as workspace.yaml names it
_ACTIVE = ["QUEUED", "NOT_STARTED", "MANAGED", "STARTING", "STARTED", "CANCELING"]

_logger = logging.getLogger(__name__)

_RUN = "runId status jobName tags{key value} assetSelection{path} startTime endTime runConfig"
_ACTIVE_RUNS = f"""query($filter: RunsFilter!) {{
  runsOrError(filter: $filter) {{ __typename ... on Runs {{ results {{ {_RUN} }} }} }}
}}"""
_READINESS = """query($job: PipelineSelector!, $needed: [AssetKeyInput!], $partitions: [String!]) {
  instance { daemonHealth { daemonStatus(daemonType: "QUEUED_RUN_COORDINATOR") { required lastHeartbeatTime } } }
  prices: assetNodeOrError(assetKey: {path: ["raw_prices"]}) { __typename ... on AssetNode { partitionKeys } }
  needed: assetNodes(assetKeys: $needed) {
    assetKey { path } assetMaterializations(partitions: $partitions, limit: 1) { runId }
  }
  plan: executionPlanOrError(pipeline: $job, mode: "default") {
    __typename ... on ExecutionPlan { steps { key } } ... on Error { message }
  }
}"""
_LAUNCH = f"""mutation($params: ExecutionParams!) {{
  launchRun(executionParams: $params) {{
    __typename ... on LaunchRunSuccess {{ run {{ {_RUN} }} }} ... on Error {{ message }}
  }}
}}"""
_RUN_AND_DAEMON = f"""query($id: ID!) {{
  instance {{ daemonHealth {{ daemonStatus(daemonType: "QUEUED_RUN_COORDINATOR") {{ required lastHeartbeatTime }} }} }}
  runOrError(runId: $id) {{ __typename ... on Run {{ {_RUN} }} }}
}}"""
_FAILURES = """query($id: ID!, $after: String) {
  runOrError(runId: $id) { ... on Run { eventConnection(afterCursor: $after) { cursor hasMore events { __typename
    ... on ExecutionStepFailureEvent { stepKey error { message className causes { message className } } }
    ... on EngineEvent { message }
    ... on RunFailureEvent { message error { message className causes { message className } } }
    ... on AssetCheckEvaluationEvent {
      evaluation { checkName success severity description assetKey { path } } }
  } } } }
}"""

_VALUES = """metadataEntries { __typename label
  ... on FloatMetadataEntry { floatValue } ... on IntMetadataEntry { intValue } ... on BoolMetadataEntry { boolValue }
}"""
_FIGURES = f"""query($id: ID!, $after: String) {{
  runOrError(runId: $id) {{ ... on Run {{ eventConnection(afterCursor: $after) {{ cursor hasMore events {{ __typename
    ... on MaterializationEvent {{ assetKey {{ path }} {_VALUES} }}
    ... on ExecutionStepOutputEvent {{ stepKey {_VALUES} }}
    ... on ObservationEvent {{ skips: metadataEntries {{ label ... on TextMetadataEntry {{ text }} }} }}
  }} }} }} }}
}}"""


@dataclass(frozen=True)
class Job:
    """A job to run, for one ticker or none, with some of its assets or all (None)."""

    name: str
    ticker: str | None = None
    assets: Sequence[str] | None = None

    @property
    def selector(self) -> dict[str, Any]:
        """Dagster's selector of the job, without the job's name."""
        selection = None if self.assets is None else [{"path": [asset]} for asset in self.assets]
        return {**_REPOSITORY, "assetSelection": selection}


@dataclass(frozen=True)
class Readiness:
    """Dagster's tickers, and which of the requested assets exist for the ticker."""

    tickers: list[str]
    existing_assets: frozenset[str]


class DagsterAPI:
    """A Dagster webserver; browsers may reach it at another address, `public_url`. Thread-safe."""

    def __init__(self, url: str, public_url: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._public_url = public_url or self._url
        self._client: httpx.Client | None = None
        self._paused_until = 0.0

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    def page(self, run_id: str) -> str:
        """Return the address of a run in the Dagster UI."""
        return f"{self._public_url}/runs/{run_id}"

    def active_runs(self, *, job: str | None = None, tags: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return queued and running runs with these tags, of one job or all; newest first."""
        filter = {"statuses": _ACTIVE, "tags": _tags(tags), "pipelineName": job}
        runs: list[dict[str, Any]] = self._query(_ACTIVE_RUNS, filter=filter)["runsOrError"]["results"]
        return runs

    def readiness(self, job: Job, required_assets: Sequence[str]) -> Readiness:
        """Query all parts of Dagster that a run needs: webserver, code server, daemon."""
        answer = self._query(
            _READINESS,
            job={"pipelineName": job.name, **job.selector},
            needed=[{"path": [asset]} for asset in required_assets],
            partitions=[job.ticker] if job.ticker else [],
        )
        if answer["plan"]["__typename"] != "ExecutionPlan" or answer["prices"]["__typename"] != "AssetNode":
            _logger.warning("Dagster has no plan for %s: %s", job.name, answer["plan"].get("message"))
            raise DagsterUnavailable("Dagster's code server does not answer, or has no such job")
        if not daemon_is_alive(answer):
            raise DagsterUnavailable("no Dagster daemon is running, so a run would stay queued: `zenith ui` starts one")
        assets = frozenset(node["assetKey"]["path"][-1] for node in answer["needed"] if node["assetMaterializations"])
        return Readiness(answer["prices"]["partitionKeys"], assets)

    def launch(self, job: Job, ops: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
        """Launch a run with this op config and return it."""
        params = {
            "selector": {"jobName": job.name, **job.selector},
            "runConfigData": {"ops": ops} if ops else {},
            "executionMetadata": {"tags": _tags(tags)},
        }
        answer = self._query(_LAUNCH, seconds=LAUNCH_SECONDS, params=params)["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            _logger.warning("Dagster did not launch %s: %s", job.name, answer.get("message"))
            raise DagsterUnavailable("Dagster did not launch the run: the service's log has the reason")
        run: dict[str, Any] = answer["run"]
        return run

    def run(self, run_id: str) -> tuple[dict[str, Any], bool]:
        """Return a run, and True if a daemon is alive. Raises UnknownRun."""
        answer = self._query(_RUN_AND_DAEMON, id=run_id)
        if answer["runOrError"]["__typename"] != "Run":
            raise UnknownRun
        return answer["runOrError"], daemon_is_alive(answer)

    def failure(self, run_id: str) -> str:
        """Return the reason why a run failed, in one line."""
        return failure_reason(list(self._events(_FAILURES, run_id)))

    def result(self, run_id: str) -> tuple[dict[str, dict[str, float | bool]], str | None]:
        """Return the numbers that a run recorded, by asset or op, and the reason if it skipped its ticker."""
        events = list(self._events(_FIGURES, run_id))
        return recorded_figures(events), skip_reason(events)

    def _events(self, query: str, run_id: str) -> Iterator[dict[str, Any]]:
        after: str | None = None
        more = True
        while more:
            page = self._query(query, id=run_id, after=after)["runOrError"]["eventConnection"]
            yield from page["events"]
            after, more = page["cursor"], page["hasMore"]

    def _query(self, query: str, seconds: float | None = None, **variables: Any) -> dict[str, Any]:
        document = {"query": query, "variables": variables}
        try:
            data: dict[str, Any] | None = self._post(document, seconds or QUERY_SECONDS).json().get("data")
        except (ValueError, AttributeError):
            data = None
        if data is None:
            raise DagsterUnavailable("DAGSTER_URL does not lead to Zenith's Dagster")
        return data

    def _post(self, document: Mapping[str, Any], seconds: float) -> "httpx.Response":
        import httpx

        outage = DagsterUnavailable("Dagster's webserver does not answer: `zenith ui` starts it")
        if time.monotonic() < self._paused_until:
            raise outage
        if self._client is None:
            self._client = httpx.Client()
        try:
            return self._client.post(f"{self._url}/graphql", json=document, timeout=seconds).raise_for_status()
        except httpx.HTTPError as error:
            _logger.warning("Dagster: %r", error)
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            raise outage from None


def daemon_is_alive(answer: Mapping[str, Any]) -> bool:
    """Return True if a queued run will be started, judging by the daemon's last heartbeat."""
    status = answer["instance"]["daemonHealth"]["daemonStatus"]
    return not status["required"] or time.time() - (status["lastHeartbeatTime"] or 0) < HEARTBEAT_SECONDS


def failure_reason(events: Sequence[Mapping[str, Any]]) -> str:
    """Return one line about the first failure: of a blocking check, else of a step, else of the run itself."""
    for event in events:
        check = event.get("evaluation")
        if check and not check["success"] and check["severity"] == "ERROR":
            return f"{check['assetKey']['path'][-1]}: check {check['checkName']}: {check['description']}"
    for event in events:
        if event["__typename"] == "ExecutionStepFailureEvent":
            return f"{event['stepKey']}: {_reason(event['error'])}"
    for event in events:
        if event["__typename"] == "RunFailureEvent":
            return _reason(event["error"]) if event["error"] else _reason_of_end(events) or _one_line(event["message"])
    return "the run ended without a reason"


def recorded_figures(events: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float | bool]]:
    """Return {asset or op: {label: number}} of the events, without Dagster's own labels and null values."""
    figures: dict[str, dict[str, float | bool]] = {}
    for event in events:
        key = event["assetKey"]["path"][-1] if event.get("assetKey") else event.get("stepKey")
        for entry in event.get("metadataEntries", ()):
            values = [value for name, value in entry.items() if name.endswith("Value") and value is not None]
            if key and values and not entry["label"].startswith("dagster/"):
                figures.setdefault(key, {})[entry["label"]] = values[0]
    return figures


def skip_reason(events: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the reason by which the first asset skipped the run's ticker; None if none did."""
    entries = (entry for event in events for entry in event.get("skips", ()) if entry["label"] == SKIPPED)
    return next((entry["text"] for entry in entries), None)


def _reason(error: Mapping[str, Any]) -> str:
    """Return the message of the first Zenith error in the chain of causes, else of the root cause."""
    chain = [error, *error["causes"]]
    for cause in chain:
        if cause["className"] in errors_by_name():
            return _one_line(cause["message"]).partition(": ")[2]
    outages = [describe_outage(cause["className"] or "", cause["message"]) for cause in chain]
    return next(filter(None, outages), None) or _one_line(chain[-1]["message"])


def _reason_of_end(events: Sequence[Mapping[str, Any]]) -> str | None:
    """Return why the run's process ended, as Dagster's engine logged it: beside it, the failure has no reason."""
    messages = [event["message"] for event in events if event["__typename"] == "EngineEvent"]
    return next(filter(None, (describe_outage("", message) for message in messages)), None)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]
