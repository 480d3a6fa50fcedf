"""`make test-docker`: use the images and docker-compose.yml like a person, from nothing to predictions.

Needs a Docker engine, but not the project's virtual environment. The compose file is unchanged; an --env-file sets test
passwords and ports. Project name and images are separate, so the test can run beside a stack in use.
"""

import argparse
import json
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
PROJECT = "zenith-test"
TAG = "test"
IMAGES = {
    "api": "zenith-serving",
    "mlflow": "zenith-mlflow",
    "code": "zenith-pipelines",
}  # by one of the services that use it
SERVICES = ("postgres", "redis", "mlflow", "code", "dagster-webserver", "dagster-daemon", "api")
PORTS = ("ZENITH_PORT", "DAGSTER_PORT", "MLFLOW_PORT")
TICKER = "AAPL"
HEALTHY_SECONDS = 300
TRAINED_SECONDS = 900
START = time.monotonic()


def say(text):
    print(f"{time.monotonic() - START:6.0f} s  {text}", flush=True)


def run(*command, check=True, **options):
    """Run a command; raise AssertionError with its output if it fails."""
    result = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, **options)
    if check and result.returncode != 0:
        raise AssertionError(
            f"{' '.join(command)}: status {result.returncode}\n{result.stdout[-4000:]}\n{result.stderr[-4000:]}"
        )
    return result


def wait_until(state, seconds, condition):
    """Wait until `condition()` is true and return its value. Raise AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"not {state} within {seconds} s"
        time.sleep(1)
    return result


def free_ports(number):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def fill_in(example, ports):
    """Return .env.example with generated passwords and our ports."""
    lines = [line + secrets.token_urlsafe(24) if line.endswith("=") else line for line in example.splitlines()]
    lines += [f"{name}={port}" for name, port in ports.items()] + [f"ZENITH_IMAGE_TAG={TAG}"]
    return "\n".join(lines) + "\n"


class Stack:
    """The unchanged compose file under its own project name."""

    def __init__(self, folder):
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        env = folder / "env"
        env.write_text(fill_in((ROOT / ".env.example").read_text(), self.ports))
        self.env = dict(line.split("=", 1) for line in env.read_text().splitlines() if "=" in line and line[0] != "#")
        v2 = run("docker", "compose", "version", check=False).returncode == 0
        self.command = [*(["docker", "compose"] if v2 else ["docker-compose"]), "--env-file", str(env), "-p", PROJECT]

    @property
    def reader(self):
        """MLflow user of the API."""
        return "serving", self.env["MLFLOW_SERVING_PASSWORD"]

    def build(self):
        for service, image in IMAGES.items():
            began = time.monotonic()
            self.compose("build", service)
            size = int(run("docker", "image", "inspect", "-f", "{{.Size}}", f"{image}:{TAG}").stdout)
            say(f"built {image}: {size / 1e6:,.0f} MB in {time.monotonic() - began:.0f} s")

    def compose(self, *arguments, **options):
        return run(*self.command, *arguments, **options)

    def inside(self, service, *command, **options):
        """Run a command in the container of a service."""
        return run("docker", "exec", self.containers()[service]["Id"], *command, **options)

    def containers(self):
        """Inspect all containers, by service. Uses docker directly, because each call of compose takes a second."""
        label = "com.docker.compose.project"
        ids = run("docker", "ps", "-aq", "--filter", f"label={label}={PROJECT}").stdout.split()
        details = json.loads(run("docker", "inspect", *ids).stdout) if ids else []
        return {facts["Config"]["Labels"]["com.docker.compose.service"]: facts for facts in details}

    def health(self):
        """Return the health of each service, or the container's status if it does not run."""
        states = {service: facts["State"] for service, facts in self.containers().items()}
        return {name: one["Health"]["Status"] if one["Running"] else one["Status"] for name, one in states.items()}

    def wait_until_healthy(self):
        wait_until("healthy", HEALTHY_SECONDS, lambda: self.health() == dict.fromkeys(SERVICES, "healthy"))

    def ask(self, port, path, body=None, *, user=None, key=None):
        """Send a request to a published port; return status and decoded body."""
        headers = {"Content-Type": "application/json"}
        if user:
            headers["Authorization"] = "Basic " + b64encode(":".join(user).encode()).decode()
        if key:
            headers["X-API-Key"] = key
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.ports[port]}{path}", content, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode(errors="replace")

    def api(self, path, body=None, **options):
        status, answer = self.ask("ZENITH_PORT", f"/api/v1/ml/{path}", body, **options)
        assert status in (200, 202), (path, status, answer)
        return answer

    def predict(self):
        """Return the model versions of uncached predictions. Raise AssertionError for a wrong response."""
        price = self.api("predict/price", {"ticker": TICKER, "use_cache": False})
        signal = self.api("predict/signal", {"ticker": TICKER, "use_cache": False})
        assert len(price["predictions"]) == 5, price
        assert signal["signal"] in ("buy", "hold", "sell"), signal
        return price["model_version"], signal["model_version"]


def check_security(stack):
    """Check that no service is root, and that three ports are published, two on loopback, none without a key."""
    addresses = {}
    for service, facts in stack.containers().items():
        assert stack.inside(service, "id", "-u").stdout.strip() != "0", service
        assert facts["HostConfig"]["Memory"] > 0, service
        for bindings in facts["HostConfig"]["PortBindings"].values():
            addresses[service] = {binding["HostIp"] for binding in bindings}
    assert addresses == {"mlflow": {"127.0.0.1"}, "dagster-webserver": {"127.0.0.1"}, "api": {""}}, addresses
    search = "/api/2.0/mlflow/registered-models/search"
    assert stack.ask("MLFLOW_PORT", search)[0] == 401
    assert stack.ask("MLFLOW_PORT", search, user=("admin", "password1234"))[0] == 401
    assert stack.ask("MLFLOW_PORT", search, user=("admin", stack.env["MLFLOW_ADMIN_PASSWORD"]))[0] == 200
    assert stack.ask("ZENITH_PORT", "/api/v1/ml/train", {"ticker": TICKER})[0] == 401
    assert "NOAUTH" in stack.inside("redis", "env", "-u", "REDISCLI_AUTH", "redis-cli", "ping").stdout
    assert stack.ask("DAGSTER_PORT", "/")[0] == stack.ask("ZENITH_PORT", "/")[0] == 200
    assert stack.ask("MLFLOW_PORT", "/", user=stack.reader)[0] == 200
    wrong = ("env", "MLFLOW_TRACKING_PASSWORD=wrong", "zenith", "cleanup", "--dry-run")
    result = stack.inside("code", *wrong, check=False)
    assert result.returncode == 2 and "refuses MLFLOW_TRACKING_USERNAME" in result.stderr, result


def train(stack):
    """Train through the API and wait for the end of the run."""
    stack.inside("code", "zenith", "tickers", "add", TICKER)
    key = stack.env["ZENITH_API_KEYS"]
    launch = stack.api("train", {"ticker": TICKER, "epochs": 10}, key=key)
    say(f"training {TICKER}: run {launch['run_id']}")

    def ended():
        status, run = stack.ask("ZENITH_PORT", f"/api/v1/ml/train/{launch['run_id']}")
        assert status in (200, 503), run  # on a busy machine Dagster may respond too late
        return run if run["status"] in ("succeeded", "failed", "canceled") else None

    run = wait_until("trained", TRAINED_SECONDS, ended)
    assert run["status"] == "succeeded", run
    move = {"name": f"lstm-{TICKER}", "alias": "Production", "version": "1"}
    assert stack.ask("MLFLOW_PORT", "/api/2.0/mlflow/registered-models/alias", move, user=stack.reader)[0] == 403


def restart_each(stack, expected):
    for service in SERVICES:
        began = time.monotonic()
        stack.compose("restart", service)
        stack.wait_until_healthy()
        versions = wait_until("answering", 60, lambda: answers(stack))
        assert versions == expected, (service, versions)
        jobs = stack.ask(
            "DAGSTER_PORT", "/graphql", {"query": "{repositoriesOrError{... on RepositoryConnection{nodes{name}}}}"}
        )
        assert jobs[1]["data"]["repositoriesOrError"]["nodes"], jobs
        assert len(stack.api(f"models?ticker={TICKER}")["models"]) == 2
        say(f"restarted {service}: all healthy and answering after {time.monotonic() - began:.0f} s")


def answers(stack):
    """Return the model versions, or None while the service is unavailable."""
    try:
        return stack.predict()
    except (OSError, AssertionError):
        return None


def print_logs(stack):
    print(stack.compose("ps", check=False).stdout, file=sys.stderr)
    print(stack.compose("logs", "--no-color", "--tail", "40", check=False).stdout[-12000:], file=sys.stderr)


def run_scenario(stack):
    stack.compose("up", "-d")
    stack.wait_until_healthy()
    say("up, and all seven services healthy")
    check_security(stack)
    say("no root, no other port, no access without a key")
    train(stack)
    versions = wait_until("predicting", 60, lambda: answers(stack))
    say(f"trained, and predicting price and signal with versions {versions}")
    restart_each(stack, versions)
    stack.compose("down")
    assert stack.containers() == {}
    stack.compose("up", "-d")
    stack.wait_until_healthy()
    assert wait_until("predicting", 60, lambda: answers(stack)) == versions
    say("down and up again: the models are still served")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--no-build", action="store_true", help=f"use the existing images tagged {TAG}")
    arguments.add_argument("--keep", action="store_true", help="leave the stack running")
    options = arguments.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the stack is stopped then too
    if not shutil.which("docker"):
        sys.exit("docker is not installed: tests/docker/engine.sh installs it from Debian's packages")
    with TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        if not options.no_build:
            stack.build()
        stack.compose("down", "-v", "--remove-orphans")
        try:
            run_scenario(stack)
        except BaseException:
            print_logs(stack)
            raise
        finally:
            if not options.keep:
                stack.compose("down", "-v", check=False)
    say("passed")


if __name__ == "__main__":
    main()
