"""Imports for the process that tests.forked forks from."""

import mlflow  # noqa: F401
import onnx  # noqa: F401
import psycopg  # noqa: F401
import pytest  # noqa: F401

import zenith_pipelines.dagster_runtime.storage
import zenith_pipelines.definitions
import zenith_pipelines.execution.ticker_run
import zenith_pipelines.production.promotion
import zenith_pipelines.registry.onnx_flavor  # noqa: F401
