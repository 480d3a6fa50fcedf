"""A client that openapi-python-client makes of /openapi.json, asking a live service.

uv installs the generator in an environment of its own: its typer is not ours.
"""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.conftest import make_snapshot
from tests.serving.page_state import write_facts
from tests.serving.served import Served

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
def generated(service, tmp_path_factory):
    """The name of the package. The generator warns of what it leaves out, which fails here."""
    folder = tmp_path_factory.mktemp("generated")
    uv = Path(sys.executable).with_name("uv")
    generate = [uv, "tool", "run", "--quiet", "--from", GENERATOR, "openapi-python-client", "generate"]
    where = ["--url", f"{service.url}/openapi.json", "--output-path", folder / "made_of_openapi", "--meta", "none"]
    subprocess.run(
        [*generate, *where, "--fail-on-warning"],
        check=True,
        timeout=120,
    )
    sys.path.insert(0, str(folder))
    yield "made_of_openapi"
    sys.path.remove(str(folder))


@pytest.fixture
def client(generated, service):
    with importlib.import_module(generated).Client(base_url=service.url, raise_on_unexpected_status=True) as client:
        yield client


def of(generated, path):
    return importlib.import_module(f"{generated}.{path}")


def test_it_forecasts(generated, client):
    request = of(generated, "models").PriceRequest(ticker="AAPL", horizon=3)
    answer = of(generated, "api.predictions.predict_price").sync(client=client, body=request)

    assert (answer.ticker, answer.model_type, answer.horizon) == ("AAPL", "lstm", 3)
    assert [point.price for point in answer.predictions] == pytest.approx([101.0, 102.01, 103.0301])


def test_it_has_a_class_for_both_predictions_in_one(generated, client):
    request = of(generated, "models").PriceRequest(ticker="AAPL")
    answer = of(generated, "api.predictions.predict_comprehensive").sync(client=client, body=request)

    assert (answer.price.horizon, answer.signal.probabilities.buy, answer.problems.to_dict()) == (5, 0.5, {})


def test_it_has_one_class_for_every_problem(generated, client):
    models = of(generated, "models")
    found = [
        of(generated, "api.predictions.predict_price").sync(client=client, body=models.PriceRequest(ticker="AAPX")),
        of(generated, "api.predictions.predict_price").sync(client=client, body=models.PriceRequest(ticker="/")),
        of(generated, "api.runs.train").sync(client=client, body=models.TrainRequest(ticker="AAPL")),
    ]

    assert {type(problem) for problem in found} == {models.Problem}
    assert [problem.status for problem in found] == [404, 422, 503]
    assert found[0].additional_properties["nearby"] == ["AAPL"]


def test_it_reads_what_has_been_asked(generated, client):
    stats = of(generated, "api.cache.cache_stats").sync(client=client)

    assert (stats.kind, stats.state) == ("in-process", "ok")
