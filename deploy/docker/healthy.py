"""Exit with 0 if a Dagster process does its work: `healthy.py code|webserver|daemon`, from within its container.

Dagster's own commands for this import Dagster, which takes a core for seconds each time.
"""

import os
import sys
import urllib.request

PATIENCE_SECONDS = 120  # the daemon's heart beats every 30


def code() -> bool:
    """The code server answers."""
    import grpc
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
    from grpc_health.v1.health_pb2_grpc import HealthStub

    with grpc.insecure_channel("127.0.0.1:4000") as channel:
        answer = HealthStub(channel).Check(HealthCheckRequest(service="DagsterApi"), timeout=5)
    return bool(answer.status == HealthCheckResponse.SERVING)


def webserver() -> bool:
    """The webserver answers."""
    with urllib.request.urlopen("http://127.0.0.1:3000/server_info", timeout=5) as answer:
        return bool(answer.status == 200)


def daemon() -> bool:
    """The daemon has left a sign of life a moment ago. If one of its threads dies, it ends as a whole."""
    import psycopg

    with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5) as connection:
        row = connection.execute(
            "SELECT extract(epoch FROM (now() AT TIME ZONE 'UTC') - max(timestamp)) FROM daemon_heartbeats"
        ).fetchone()
    return row is not None and row[0] is not None and row[0] < PATIENCE_SECONDS


if __name__ == "__main__":
    try:
        healthy = {"code": code, "webserver": webserver, "daemon": daemon}[sys.argv[1]]()
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}".splitlines()[0])
    sys.exit(0 if healthy else "no sign of life")
