"""Imports for the process that tests.forked forks from, and the calendar that each run of a ticker needs."""

import gc
from datetime import UTC, datetime

import exchange_calendars  # noqa: F401
import matplotlib.backends.backend_agg
import matplotlib.figure  # noqa: F401
import mlflow.onnx
import mlflow.store.model_registry.sqlalchemy_store
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
import onnx  # noqa: F401
import pandera.pandas  # noqa: F401
import psycopg  # noqa: F401
import pyarrow.parquet  # noqa: F401
import pytest  # noqa: F401
import sqlalchemy.orm
import upath  # noqa: F401

import zenith_pipelines.dagster_runtime.storage
import zenith_pipelines.definitions
import zenith_pipelines.execution.ticker_run
import zenith_pipelines.production.promotion
import zenith_pipelines.registry.onnx_flavor  # noqa: F401
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import last_closed_session, sessions_between

sessions_between(exchange_of("AAPL"), datetime(2000, 1, 1, tzinfo=UTC).date(), datetime.now(UTC).date())
last_closed_session(exchange_of("AAPL"), datetime.now(UTC))
sqlalchemy.orm.configure_mappers()  # of MLflow's tables, else each process does
gc.freeze()  # else each process looks through all of it
