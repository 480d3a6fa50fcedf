"""Dagster's GraphQL API, reduced to what serving asks of it. Dagster itself is never imported.

`zenith_serving.jobs.launcher` has the rules; here is what is asked and how an answer is read. Whatever keeps Dagster
from answering, or from starting a run, is a DagsterUnavailable that says which part of it is not there.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zenith_core.errors import errors_by_name
from zenith_serving.errors import DagsterUnavailable, UnknownRun

if TYPE_CHECKING:
    import httpx

PARTITION = "dagster/partition"
ASK_SECONDS = 1.8  # a request that Dagster does not answer has its 503 within 2 s
LAUNCH_SECONDS = 20.0  # making a run takes a busy machine seconds, and by then all of Dagster has just answered
PAUSE_SECONDS = 1.0  # after a question without an answer, in which those who waited for it are told the same
HEARTBEAT_SECONDS = 90.0  # a daemon tells of itself every 30 s; Dagster itself believes in one for half an hour
_REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "zenith"}  # as workspace.yaml names it
_ACTIVE = ["QUEUED", "NOT_STARTED", "MANAGED", "STARTING", "STARTED", "CANCELING"]

_logger = logging.getLogger(__name__)

_RUN = "runId status jobName tags{key value} assetSelection{path} startTime endTime"
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
    ... on RunFailureEvent { message error { message className causes { message className } } }
    ... on AssetCheckEvaluationEvent {
      evaluation { checkName success severity description assetKey { path } } }
  } } } }
}"""


@dataclass(frozen=True)
class Job:
    """What is to run: a job, for a ticker or for none, with some of its assets or all (None)."""

    name: str
    ticker: str | None = None
    assets: Sequence[str] | None = None

    @property
    def selector(self) -> dict[str, Any]:
        """The names by which Dagster knows it, without the job's own."""
        chosen = None if self.assets is None else [{"path": [asset]} for asset in self.assets]
        return {**_REPOSITORY, "assetSelection": chosen}


@dataclass(frozen=True)
class Readiness:
    """What Dagster has, before a run is launched. `made`: of the assets asked about, those made for the ticker."""

    tickers: list[str]
    made: frozenset[str]


class DagsterAPI:
    """A Dagster webserver, which people may know by another address. Safe to share between threads."""

    def __init__(self, url: str, public_url: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._public_url = public_url or self._url
        self._client: httpx.Client | None = None
        self._away_until = 0.0

    def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            self._client.close()

    def page(self, run_id: str) -> str:
        """Where people see a run."""
        return f"{self._public_url}/runs/{run_id}"

    def active_runs(self, *, job: str | None = None, tags: Mapping[str, str]) -> list[dict[str, Any]]:
        """Runs that wait or work, of a job or of any, with these tags; newest first."""
        filter = {"statuses": _ACTIVE, "tags": _tags(tags), "pipelineName": job}
        found: list[dict[str, Any]] = self._ask(_ACTIVE_RUNS, filter=filter)["runsOrError"]["results"]
        return found

    def readiness(self, job: Job, needed: Sequence[str]) -> Readiness:
        """Ask all parts of Dagster that a run takes: webserver, code server, daemon."""
        answer = self._ask(
            _READINESS,
            job={"pipelineName": job.name, **job.selector},
            needed=[{"path": [asset]} for asset in needed],
            partitions=[job.ticker] if job.ticker else [],
        )
        if answer["plan"]["__typename"] != "ExecutionPlan" or answer["prices"]["__typename"] != "AssetNode":
            _logger.warning("Dagster has no plan for %s: %s", job.name, answer["plan"].get("message"))
            raise DagsterUnavailable("Dagster's code server does not answer, or has no such job")
        if not daemon_is_alive(answer):
            raise DagsterUnavailable(
                "no daemon of Dagster is running: a run would be queued and never start; `zenith ui`"
            )
        made = {node["assetKey"]["path"][-1] for node in answer["needed"] if node["assetMaterializations"]}
        return Readiness(answer["prices"]["partitionKeys"], frozenset(made))

    def launch(self, job: Job, ops: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
        """Launch a run with this config of its ops, and return it."""
        params = {
            "selector": {"jobName": job.name, **job.selector},
            "runConfigData": {"ops": ops} if ops else {},
            "executionMetadata": {"tags": _tags(tags)},
        }
        answer = self._ask(_LAUNCH, seconds=LAUNCH_SECONDS, params=params)["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            _logger.warning("Dagster did not launch %s: %s", job.name, answer.get("message"))
            raise DagsterUnavailable("Dagster did not launch the run; its reason was logged")
        run: dict[str, Any] = answer["run"]
        return run

    def run(self, run_id: str) -> tuple[dict[str, Any], bool]:
        """A run, and whether a daemon is alive. Raises UnknownRun."""
        answer = self._ask(_RUN_AND_DAEMON, id=run_id)
        if answer["runOrError"]["__typename"] != "Run":
            raise UnknownRun
        return answer["runOrError"], daemon_is_alive(answer)

    def failure(self, run_id: str) -> str:
        """Why a run failed, in one line."""
        events: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            page = self._ask(_FAILURES, id=run_id, after=after)["runOrError"]["eventConnection"]
            events += page["events"]
            if not page["hasMore"]:
                return failure_reason(events)
            after = page["cursor"]

    def _ask(self, query: str, seconds: float | None = None, **variables: Any) -> dict[str, Any]:
        document = {"query": query, "variables": variables}
        try:
            data: dict[str, Any] | None = self._post(document, seconds or ASK_SECONDS).json().get("data")
        except (ValueError, AttributeError):
            data = None
        if data is None:
            raise DagsterUnavailable("what answers at DAGSTER_URL is not the Dagster that it should be")
        return data

    def _post(self, document: Mapping[str, Any], seconds: float) -> "httpx.Response":
        import httpx

        away = DagsterUnavailable("Dagster's webserver does not answer: `zenith ui` starts it")
        if time.monotonic() < self._away_until:
            raise away
        if self._client is None:
            self._client = httpx.Client()
        try:
            return self._client.post(f"{self._url}/graphql", json=document, timeout=seconds).raise_for_status()
        except httpx.HTTPError as error:
            _logger.warning("Dagster: %r", error)
            self._away_until = time.monotonic() + PAUSE_SECONDS
            raise away from None


def daemon_is_alive(answer: Mapping[str, Any]) -> bool:
    """Whether a run that is queued will be started, going by when the daemon last told of itself."""
    status = answer["instance"]["daemonHealth"]["daemonStatus"]
    return not status["required"] or time.time() - (status["lastHeartbeatTime"] or 0) < HEARTBEAT_SECONDS


def failure_reason(events: Sequence[Mapping[str, Any]]) -> str:
    """One line for the first thing that went wrong: a check that holds runs up, a step, or the run itself."""
    for event in events:
        checked = event.get("evaluation")
        if checked and not checked["success"] and checked["severity"] == "ERROR":
            return f"{checked['assetKey']['path'][-1]}: check {checked['checkName']}: {checked['description']}"
    for event in events:
        if event["__typename"] == "ExecutionStepFailureEvent":
            return f"{event['stepKey']}: {_why(event['error'])}"
    for event in events:
        if event["__typename"] == "RunFailureEvent":
            return _why(event["error"]) if event["error"] else _line(event["message"])
    return "the run ended without a reason"


def _why(error: Mapping[str, Any]) -> str:
    """The first error of the chain that was raised on purpose, else the one it began with."""
    chain = [error, *error["causes"]]
    for each in chain:
        if each["className"] in errors_by_name():
            return _line(each["message"]).partition(": ")[2]
    return _line(chain[-1]["message"])


def _line(text: str) -> str:
    return " ".join(text.split())[:500]


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]
