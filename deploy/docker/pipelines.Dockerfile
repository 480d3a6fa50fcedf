# The pipelines: Dagster's code server, webserver and daemon, and the runs. From the project's folder:
#   docker build -f deploy/docker/pipelines.Dockerfile -t zenith-pipelines .
FROM python:3.11-slim-bookworm AS builder
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements-bootstrap.lock .
RUN python3 -m venv /opt/tools && python3 -m venv --without-pip /opt/zenith \
    && /opt/tools/bin/pip install -q --no-cache-dir --require-hashes -r requirements-bootstrap.lock
COPY requirements.lock .
# Nothing that runs is taken out: headers, packages' own tests, and symbol tables, which together are 0.7 GB.
# Bytecode stays in, since a user who may not write here would compile all of it anew at each start.
RUN /opt/tools/bin/uv pip install -q --no-cache --python /opt/zenith/bin/python --require-hashes -r requirements.lock \
    && cd /opt/zenith/lib/python3.11/site-packages && rm -rf tensorflow/include pyarrow/include \
    && find tensorflow jaxlib pyarrow curl_cffi -name '*.so*' -type f -size +1M -exec strip --strip-unneeded {} + \
    && find pandas pyarrow scipy sklearn matplotlib -type d -name tests -prune -exec rm -rf {} + \
    && { /opt/zenith/bin/python -m compileall -q -j 0 . >/dev/null || true; } \
    && /opt/zenith/bin/python -c 'import curl_cffi, jax, pyarrow, tensorflow'
COPY pyproject.toml README.md LICENSE dagster.yaml workspace.yaml ./
COPY zenith_core zenith_core
COPY zenith_serving zenith_serving
COPY zenith_pipelines zenith_pipelines
COPY zenith_cli zenith_cli
RUN /opt/tools/bin/pip wheel -q --no-deps --no-build-isolation -w /build/dist . \
    && /opt/tools/bin/uv pip install -q --no-cache --python /opt/zenith/bin/python --no-deps --compile-bytecode dist/*.whl

FROM python:3.11-slim-bookworm
RUN groupadd -g 10001 zenith && useradd -u 10001 -g zenith -M -d /var/lib/zenith -s /usr/sbin/nologin zenith \
    && mkdir -p /var/lib/zenith/data /var/lib/zenith/dagster && chown -R zenith:zenith /var/lib/zenith
COPY --from=builder /opt/zenith /opt/zenith
COPY deploy/docker/workspace.yaml deploy/docker/healthy.py /etc/zenith/
ENV PATH=/opt/zenith/bin:$PATH PYTHONUNBUFFERED=1 HOME=/var/lib/zenith \
    ZENITH_HOME=/var/lib/zenith DAGSTER_HOME=/var/lib/zenith/dagster
USER 10001:10001
WORKDIR /var/lib/zenith
CMD ["zenith", "--help"]
