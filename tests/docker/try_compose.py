"""`make test-docker`: the images and docker-compose.yml, as a person would use them, from nothing to predictions.

Needs a Docker engine and nothing of this project's environment. The compose file is taken as it is; passwords and ports
of its own come by an --env-file, and its name and images are its own, so it can run beside a stack in use.
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
IMAGES = {"api": "zenith-serving", "mlflow": "zenith-mlflow", "code": "zenith-pipelines"}  # by a service that has it
SERVICES = ("postgres", "redis", "mlflow", "code", "dagster-webserver", "dagster-daemon", "api")
PORTS = ("ZENITH_PORT", "DAGSTER_PORT", "MLFLOW_PORT")
TICKER = "AAPL"
HEALTHY_SECONDS = 300
TRAINED_SECONDS = 900
START = time.monotonic()


def say(text):
    print(f"{time.monotonic() - START:6.0f} s  {text}", flush=True)


def run(*command, check=True, **options):
    """The completed command; its output is shown if it fails."""
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, **options)
    if check and done.returncode != 0:
        raise AssertionError(
            f"{' '.join(command)}: status {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        )
    return done


def wait_until(what, seconds, happened):
    """What `happened` returns, once that is true. AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while not (result := happened()):
        assert time.monotonic() < end, f"not {what} within {seconds} s"
        time.sleep(1)
    return result


def free_ports(number):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def fill_in(example, ports):
    """The text of .env.example with a password for each that it wants, and our ports."""
    lines = [line + secrets.token_urlsafe(24) if line.endswith("=") else line for line in example.splitlines()]
    lines += [f"{name}={port}" for name, port in ports.items()] + [f"ZENITH_IMAGE_TAG={TAG}"]
    return "\n".join(lines) + "\n"


class Stack:
    """The compose file, unchanged, under a name of its own."""

    def __init__(self, folder):
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        env = folder / "env"
        env.write_text(fill_in((ROOT / ".env.example").read_text(), self.ports))
        self.env = dict(line.split("=", 1) for line in env.read_text().splitlines() if "=" in line and line[0] != "#")
        v2 = run("docker", "compose", "version", check=False).returncode == 0
        self.command = [*(["docker", "compose"] if v2 else ["docker-compose"]), "--env-file", str(env), "-p", PROJECT]

    @property
    def reader(self):
        """The MLflow user that the API is."""
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
        """What a command in the service's container says."""
        return run("docker", "exec", self.containers()[service]["Id"], *command, **options)

    def containers(self):
        """Docker's facts by service, of all that there are. Not by compose, which takes a second for each question."""
        label = "com.docker.compose.project"
        ids = run("docker", "ps", "-aq", "--filter", f"label={label}={PROJECT}").stdout.split()
        found = json.loads(run("docker", "inspect", *ids).stdout) if ids else []
        return {facts["Config"]["Labels"]["com.docker.compose.service"]: facts for facts in found}

    def health(self):
        """State by service: healthy, starting, unhealthy, or how the container is if it does not run."""
        states = {service: facts["State"] for service, facts in self.containers().items()}
        return {name: one["Health"]["Status"] if one["Running"] else one["Status"] for name, one in states.items()}

    def wait_until_healthy(self):
        wait_until("healthy", HEALTHY_SECONDS, lambda: self.health() == dict.fromkeys(SERVICES, "healthy"))

    def ask(self, port, path, body=None, *, user=None, key=None):
        """Status and decoded answer of one of the published ports."""
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
        """Model versions that answered, computed and not from a cache; whatever is wrong is an AssertionError."""
        price = self.api("predict/price", {"ticker": TICKER, "use_cache": False})
        signal = self.api("predict/signal", {"ticker": TICKER, "use_cache": False})
        assert len(price["predictions"]) == 5, price
        assert signal["signal"] in ("buy", "hold", "sell"), signal
        return price["model_version"], signal["model_version"]


def check_doors(stack):
    """Nobody is root, only three ports are open, two of them on loopback, and no door opens without its key."""
    published = {}
    for service, facts in stack.containers().items():
        assert stack.inside(service, "id", "-u").stdout.strip() != "0", service
        assert facts["HostConfig"]["Memory"] > 0, service
        for bindings in facts["HostConfig"]["PortBindings"].values():
            published[service] = {binding["HostIp"] for binding in bindings}
    assert published == {"mlflow": {"127.0.0.1"}, "dagster-webserver": {"127.0.0.1"}, "api": {""}}, published
    search = "/api/2.0/mlflow/registered-models/search"
    assert stack.ask("MLFLOW_PORT", search)[0] == 401
    assert stack.ask("MLFLOW_PORT", search, user=("admin", "password1234"))[0] == 401
    assert stack.ask("MLFLOW_PORT", search, user=("admin", stack.env["MLFLOW_ADMIN_PASSWORD"]))[0] == 200
    assert stack.ask("ZENITH_PORT", "/api/v1/ml/train", {"ticker": TICKER})[0] == 401
    assert "NOAUTH" in stack.inside("redis", "env", "-u", "REDISCLI_AUTH", "redis-cli", "ping").stdout
    assert stack.ask("DAGSTER_PORT", "/")[0] == stack.ask("ZENITH_PORT", "/")[0] == 200
    assert stack.ask("MLFLOW_PORT", "/", user=stack.reader)[0] == 200
    wrong = ("env", "MLFLOW_TRACKING_PASSWORD=wrong", "zenith", "cleanup", "--dry-run")
    refused = stack.inside("code", *wrong, check=False)
    assert refused.returncode == 2 and "refuses MLFLOW_TRACKING_USERNAME" in refused.stderr, refused


def train(stack):
    """Train through the API, until its gates have judged."""
    stack.inside("code", "zenith", "tickers", "add", TICKER)
    key = stack.env["ZENITH_API_KEYS"]
    asked = {"ticker": TICKER, "epochs": 10}
    launched = stack.api("train", asked, key=key)
    say(f"training {TICKER}: run {launched['run_id']}")

    def ended():
        status, told = stack.ask("ZENITH_PORT", f"/api/v1/ml/train/{launched['run_id']}")
        assert status in (200, 503), told  # Dagster's answer may come late on a busy machine
        return told if told["status"] in ("succeeded", "failed", "canceled") else None

    told = wait_until("trained", TRAINED_SECONDS, ended)
    assert told["status"] == "succeeded", told
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
    """Versions, or None while the service is not there."""
    try:
        return stack.predict()
    except (OSError, AssertionError):
        return None


def tell_why(stack):
    print(stack.compose("ps", check=False).stdout, file=sys.stderr)
    print(stack.compose("logs", "--no-color", "--tail", "40", check=False).stdout[-12000:], file=sys.stderr)


def whole(stack):
    stack.compose("up", "-d")
    stack.wait_until_healthy()
    say("up, and all seven services healthy")
    check_doors(stack)
    say("no root, no other port, no door without its key")
    train(stack)
    versions = wait_until("predicting", 60, lambda: answers(stack))
    say(f"trained, and predicting price and signal with versions {versions}")
    restart_each(stack, versions)
    stack.compose("down")
    assert stack.containers() == {}
    stack.compose("up", "-d")
    stack.wait_until_healthy()
    assert wait_until("predicting", 60, lambda: answers(stack)) == versions
    say("taken down, up again: the models are there")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--no-build", action="store_true", help=f"take the images tagged {TAG} that are there")
    arguments.add_argument("--keep", action="store_true", help="leave the stack up")
    asked = arguments.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the stack is taken down then too
    if not shutil.which("docker"):
        sys.exit("docker is not installed: tests/docker/engine.sh installs it from Debian's packages")
    with TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        if not asked.no_build:
            stack.build()
        stack.compose("down", "-v", "--remove-orphans")
        try:
            whole(stack)
        except BaseException:
            tell_why(stack)
            raise
        finally:
            if not asked.keep:
                stack.compose("down", "-v", check=False)
    say("passed")


if __name__ == "__main__":
    main()
