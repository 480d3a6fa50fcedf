# The REST service, without TensorFlow, JAX, Dagster or MLflow. From the project's folder:
#   docker build -f deploy/docker/serving.Dockerfile -t zenith-serving .
FROM python:3.11-slim-bookworm AS builder
WORKDIR /build
COPY requirements-bootstrap.lock .
RUN python3 -m venv /opt/tools && python3 -m venv --without-pip /opt/zenith \
    && /opt/tools/bin/pip install -q --no-cache-dir --require-hashes -r requirements-bootstrap.lock
COPY requirements-serving.lock .
RUN /opt/tools/bin/uv pip install -q --no-cache --python /opt/zenith/bin/python --compile-bytecode \
        --require-hashes -r requirements-serving.lock
COPY pyproject.toml README.md LICENSE dagster.yaml workspace.yaml ./
COPY zenith_core zenith_core
COPY zenith_serving zenith_serving
COPY zenith_pipelines zenith_pipelines
COPY zenith_cli zenith_cli
RUN /opt/tools/bin/pip wheel -q --no-deps --no-build-isolation -w /build/dist . \
    && /opt/tools/bin/uv pip install -q --no-cache --python /opt/zenith/bin/python --no-deps --compile-bytecode dist/*.whl

FROM python:3.11-slim-bookworm
RUN groupadd -g 10001 zenith && useradd -u 10001 -g zenith -M -d /var/lib/zenith -s /usr/sbin/nologin zenith \
    && mkdir -p /var/lib/zenith/data && chown -R zenith:zenith /var/lib/zenith
COPY --from=builder /opt/zenith /opt/zenith
ENV PATH=/opt/zenith/bin:$PATH PYTHONUNBUFFERED=1 HOME=/var/lib/zenith ZENITH_HOME=/var/lib/zenith
USER 10001:10001
WORKDIR /var/lib/zenith
EXPOSE 8000
CMD ["zenith", "serve", "--host", "0.0.0.0"]
