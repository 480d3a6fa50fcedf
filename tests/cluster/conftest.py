"""The containers of docker-compose.yml, an S3 server beside them, and questions to Dagster and MLflow."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.dagster_ui import REPOSITORY, Dagster
from zenith_pipelines.ingestion.sources import SimulatedSource
from zenith_pipelines.models.training import MIN_SESSIONS
from zenith_pipelines.registry.model_registry import ModelRegistry

HERE = Path(__file__).parent
PROJECT = f"zenith-cluster-{os.getpid()}"
IMAGE = "zenith-cluster:with-prices"
SESSIONS = MIN_SESSIONS + 20
COUNT = int(os.environ.get("CLUSTER_TICKERS", "20"))
TICKERS = [f"SIM-{kind}-{number}" for number in range(1, COUNT + 1) for kind in ("NOISE", "EDGE")][:COUNT]
BATCH_SIZE = max(5, COUNT // 10)  # 20 of 200; of 20 tickers 5, so that both workers have batches


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout.strip()


class Cluster:
    """The whole of it, from the outside."""

    def __init__(self, folder, *more):
        import boto3  # not for the other tests: with Moto, it takes half a second
        from moto.server import ThreadedMotoServer

        self.files = [argument for name in ("docker-compose.yml", *more) for argument in ("-f", str(HERE / name))]
        self.began = time.monotonic()
        run("docker", "network", "create", PROJECT)
        gateway = run("docker", "network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", PROJECT)
        self.storage = ThreadedMotoServer(ip_address=gateway, port=0, verbose=False)
        self.storage.start()
        self.endpoint = "http://{}:{}".format(*self.storage.get_host_and_port())
        self.bucket = boto3.resource(
            "s3", endpoint_url=self.endpoint, aws_access_key_id="t", aws_secret_access_key="t", region_name="us-east-1"
        ).create_bucket(Bucket="zenith")
        self.folder = folder

    def start(self, tickers, *services):
        self.make_image(tickers)
        self.say(f"starting {', '.join(services) or 'PostgreSQL, Redis, MLflow, Dagster and two workers'}")
        self.compose("up", "-d", *services)
        self.dagster = Dagster(self.compose("port", "control", "3000").rpartition(":")[2])
        mlflow = "http://" + self.compose("port", "mlflow", "5000")
        self.registry = ModelRegistry(mlflow, self.folder / "artifacts")
        self.wait("Dagster answers", self.dagster.is_up, 120)

    def make_image(self, tickers):
        """The image under test, and in it prices that are hardly enough to train on: each worker has its own."""
        prices = self.folder / "prices"
        prices.mkdir()
        for ticker in tickers:
            SimulatedSource().fetch(ticker).prices.iloc[-SESSIONS:].to_csv(prices / f"{ticker}.csv")
        (self.folder / "Dockerfile").write_text("FROM zenith-cluster:latest\nCOPY prices /prices\n")
        run("docker", "build", "-q", "-t", IMAGE, str(self.folder), env={**os.environ, "DOCKER_BUILDKIT": "0"})

    def remove(self):
        with (self.folder / "containers.log").open("w") as log:
            subprocess.run(self._compose("logs", "--no-color"), check=False, stdout=log, env=self._environment())
        self.say(f"what the containers said is in {log.name}")
        self.compose("down", "-t", "1")
        self.storage.stop()
        run("docker", "network", "rm", PROJECT)

    def say(self, text):
        print(f"{time.monotonic() - self.began:6.0f} s  {text}", flush=True)

    def wait(self, what, holds, seconds):
        deadline = time.monotonic() + seconds
        while not (answer := holds()):
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            time.sleep(1)
        self.say(what)
        return answer

    def compose(self, *arguments):
        return run(*self._compose(*arguments), env=self._environment())

    def container(self, service):
        return self.compose("ps", "-q", service)

    def query(self, sql):
        """Rows of Dagster's database, each a list of texts."""
        command = ("exec", "-T", "postgres", "psql", "-U", "zenith", "-d", "dagster", "-At", "-F", "|", "-c", sql)
        return [line.split("|") for line in self.compose(*command).splitlines()]

    def stop_sensor(self, name):
        state = self.dagster.ask(
            "query($s: SensorSelector!){sensorOrError(sensorSelector: $s){... on Sensor{sensorState{id}}}}",
            s={**REPOSITORY, "sensorName": name},
        )["sensorOrError"]["sensorState"]["id"]
        self.dagster.ask("mutation($id: String!){stopSensor(id: $id){__typename}}", id=state)

    def has_looked(self, name):
        """Return True if a sensor was evaluated. It does not see events before its first evaluation."""
        state = self.dagster.ask(
            "query($s: SensorSelector!){sensorOrError(sensorSelector: $s){"
            "... on Sensor{sensorState{ticks(limit: 1){id}}}}}",
            s={**REPOSITORY, "sensorName": name},
        )
        return bool(state["sensorOrError"]["sensorState"]["ticks"])

    def add_ticker(self, ticker):
        self.dagster.ask(
            "mutation($r: RepositorySelector!, $k: String!){addDynamicPartition(repositorySelector: $r, "
            'partitionsDefName: "tickers", partitionKey: $k){__typename}}',
            r=REPOSITORY,
            k=ticker,
        )

    def launch(self, job, ops, assets=(), **tags):
        answer = self.dagster.ask(
            "mutation($p: ExecutionParams!){launchPipelineExecution(executionParams: $p)"
            "{__typename ... on LaunchRunSuccess{run{runId}} ... on PythonError{message}}}",
            p={
                "selector": {
                    **REPOSITORY,
                    "pipelineName": job,
                    **({"assetSelection": [{"path": [asset]} for asset in assets]} if assets else {}),
                },
                "mode": "default",
                "runConfigData": {"ops": ops},
                "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
            },
        )
        return answer["launchPipelineExecution"]["run"]["runId"]

    def runs(self, job):
        """All runs of a job: id, status, tags."""
        answer = self.dagster.ask(
            "query($j: String!){runsOrError(filter: {pipelineName: $j}){... on Runs{results{runId status "
            "startTime endTime tags{key value}}}}}",
            j=job,
        )["runsOrError"]["results"]
        return [{**one, "tags": {tag["key"]: tag["value"] for tag in one["tags"]}} for one in answer]

    def steps(self, run_id):
        """Status by step of a run."""
        answer = self.dagster.ask(
            "query($id: ID!){runOrError(runId: $id){... on Run{stepStats{stepKey status}}}}", id=run_id
        )["runOrError"]["stepStats"]
        return {step["stepKey"]: step["status"] for step in answer}

    def _compose(self, *arguments):
        return ("docker-compose", "-p", PROJECT, *self.files, *arguments)

    def _environment(self):
        return {
            **os.environ,
            "S3_ENDPOINT": self.endpoint,
            "CLUSTER_NETWORK": PROJECT,
            "CLUSTER_BATCH_SIZE": str(BATCH_SIZE),
        }


@pytest.fixture
def cluster(tmp_path):
    cluster = Cluster(tmp_path)
    try:
        cluster.start(TICKERS)
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture
def one_host(tmp_path):
    """Dagster that starts a container for each run."""
    cluster = Cluster(tmp_path, "one-host.yml")
    try:
        cluster.start(TICKERS[:1], "control")
        yield cluster
    finally:
        cluster.remove()
