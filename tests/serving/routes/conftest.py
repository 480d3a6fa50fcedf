"""A service whose tickers differ in what they have; files of tests with a service of their own replace it."""

import pytest
from fastapi.testclient import TestClient

from tests.core.risk.distributions import normal_distribution
from zenith_serving.app import create_app


@pytest.fixture
def client(settings, home, write_snapshot):
    """AAPL has models and a distribution, IBM a distribution alone, MSFT models alone."""
    for ticker in ("AAPL", "IBM"):
        write_snapshot(home, ticker, distribution=normal_distribution())
    with TestClient(create_app(settings)) as client:
        yield client
