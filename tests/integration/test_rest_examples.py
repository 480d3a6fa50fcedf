"""Every example of docs/rest-api.md, run as a reader would, against a service on a real port."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.chromium import CHROMIUM, MISSING
from tests.integration.dagster_ui import free_port
from tests.live_service import live_service
from tests.waiting import PATIENCE
from zenith_serving import problem_details as problems_module
from zenith_serving.app import create_app
from zenith_serving.jobs.launchable_jobs import JOBS
from zenith_serving.settings import Settings

GUIDE = (Path(__file__).parents[2] / "docs" / "rest-api.md").read_text()
KEY = "a-key-for-tests"

pytestmark = pytest.mark.slow


def examples(language):
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def service(sample_home):
    """A service on the home that `zenith run` made; no Dagster."""
    home = sample_home.zenith.home
    settings = {"zenith_api_keys": KEY, "dagster_url": f"http://127.0.0.1:{free_port()}", "redis_url": None}
    with live_service(Settings(zenith_home=home, mlflow_tracking_uri=None, models_path=None, **settings)) as url:
        yield url


def run(service, *command):
    environment = {**os.environ, "ZENITH": service, "KEY": KEY}
    process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_examples_in_curl_answer(service):
    output = "\n".join(run(service, "bash", "-ec", example) for example in examples("bash"))

    for words in (
        '"horizon":3,"predictions":[',
        '"status":"production"',
        '"action":"promoted"',
        "dagster-away",
        '"nearby":["AAPL"]',
    ):
        assert words in output


def test_the_examples_in_python_answer(service):
    prediction, listing, training = (run(service, sys.executable, "-c", example) for example in examples("python"))

    assert prediction.splitlines()[0].startswith("2013-03-04 ")
    assert prediction.splitlines()[-1] == "['AAPL']"
    assert "lstm-AAPL 1 False" in listing
    assert "1 0 None" in listing
    assert "again in 10.0 s" in training


@pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
def test_the_examples_in_javascript_answer(service):
    output = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda message: output.append(message.text))
        page.goto(f"{service}/health")
        for example in examples("javascript"):
            page.evaluate(f"async ([ZENITH, KEY]) => {{ {example} }}", [service, KEY])
        browser.close()

    answers = [text for text in output if not text.startswith("Failed to load resource")]
    assert re.fullmatch(r"(buy|hold|sell) 0\.\d+", answers[0])
    assert "lstm-AAPL 1 production" in answers[1]
    assert answers[2] == "503 10"


def test_every_route_every_job_and_every_kind_of_problem_is_described():
    paths = [path.removeprefix("/api/v1/ml") for path in create_app(Settings()).openapi()["paths"]]
    problems = re.findall(r'"([a-z-]+)", HTTPStatus', Path(problems_module.__file__).read_text())
    assert len(problems) > 10
    assert [name for name in (*paths, *JOBS, *problems) if name not in GUIDE] == []
