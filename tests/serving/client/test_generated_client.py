"""A client that openapi-python-client generates from /openapi.json, against a live service.

uv installs the generator in its own environment, because it needs another typer version.
"""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.conftest import make_snapshot
from tests.serving.page_state import write_facts
from tests.serving.served import Served
from tests.waiting import PATIENCE

pytestmark = pytest.mark.slow

GENERATOR = "openapi-python-client==0.29.1"


@pytest.fixture(scope="module")
def service(trained_home, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    write_facts(home, "serving_snapshot", "AAPL", make_snapshot("AAPL").to_json())
    registry = f"sqlite:///{trained_home}/mlflow/mlflow.db"
    service = Served(home, MLFLOW_TRACKING_URI=registry, DAGSTER_URL="http://127.0.0.1:1")
    yield service
    service.close()


@pytest.fixture(scope="module")
def package(service, tmp_path_factory):
    """Yield the name of the generated package. A warning of the generator, about an omission, fails the test."""
    folder = tmp_path_factory.mktemp("generated")
    uv = Path(sys.executable).with_name("uv")
    generate = [uv, "tool", "run", "--quiet", "--from", GENERATOR, "openapi-python-client", "generate"]
    options = ["--url", f"{service.url}/openapi.json", "--output-path", folder / "generated_client", "--meta", "none"]
    subprocess.run(
        [*generate, *options, "--fail-on-warning"],
        check=True,
        timeout=PATIENCE,
    )
    sys.path.insert(0, str(folder))
    yield "generated_client"
    sys.path.remove(str(folder))


@pytest.fixture
def client(package, service):
    with importlib.import_module(package).Client(base_url=service.url, raise_on_unexpected_status=True) as client:
        yield client


def module(package, path):
    return importlib.import_module(f"{package}.{path}")


def test_it_forecasts(package, client):
    request = module(package, "models").PriceRequest(ticker="AAPL", horizon=3)
    answer = module(package, "api.predictions.predict_price").sync(client=client, body=request)

    assert (answer.ticker, answer.model_type, answer.horizon) == ("AAPL", "lstm", 3)
    assert [point.price for point in answer.predictions] == pytest.approx([101.0, 102.01, 103.0301])


def test_it_has_a_class_for_the_comprehensive_prediction(package, client):
    request = module(package, "models").PriceRequest(ticker="AAPL")
    answer = module(package, "api.predictions.predict_comprehensive").sync(client=client, body=request)

    assert (answer.price.horizon, answer.signal.probabilities.buy, answer.problems.to_dict()) == (5, 0.5, {})


def test_it_has_one_class_for_every_problem(package, client):
    models = module(package, "models")
    problems = [
        module(package, "api.predictions.predict_price").sync(client=client, body=models.PriceRequest(ticker="AAPX")),
        module(package, "api.predictions.predict_price").sync(client=client, body=models.PriceRequest(ticker="/")),
        module(package, "api.runs.train").sync(client=client, body=models.TrainRequest(ticker="AAPL")),
    ]

    assert {type(problem) for problem in problems} == {models.Problem}
    assert [problem.status for problem in problems] == [404, 422, 503]
    assert problems[0].additional_properties["nearby"] == ["AAPL"]


def test_it_parses_responses(package, client):
    stats = module(package, "api.cache.cache_stats").sync(client=client)

    assert (stats.kind, stats.state) == ("in-process", "ok")
