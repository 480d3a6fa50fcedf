# The pipelines' image with what runs beyond one machine need: Celery, launchers, object storage. From the project's folder:
#   docker build -f deploy/docker/cluster.Dockerfile -t zenith-cluster .
ARG PIPELINES=zenith-pipelines:0.2.0
FROM python:3.11-slim-bookworm AS builder
COPY requirements-bootstrap.lock .
RUN python3 -m venv /opt/tools && /opt/tools/bin/pip install -q --no-cache-dir --require-hashes -r requirements-bootstrap.lock

FROM ${PIPELINES}
COPY --from=builder /opt/tools/bin/uv /usr/local/bin/
COPY requirements-cluster.lock /etc/zenith/
USER 0:0
RUN uv pip install -q --no-cache --python /opt/zenith/bin/python --compile-bytecode --require-hashes \
        -r /etc/zenith/requirements-cluster.lock
COPY deploy/celery/dagster.yaml /etc/zenith/celery.yaml
COPY deploy/docker-run-launcher/dagster.yaml /etc/zenith/docker-run-launcher.yaml
USER 10001:10001
