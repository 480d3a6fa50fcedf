"""A package adds a kind of model by an entry point: its assets, options, versions and answers. Ours do not change."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.empty_databases import put_mlflow_database
from tests.example_package import install

EXAMPLE = Path(__file__).parents[1] / "example_model"

PROGRAM = """
import dataclasses, json, sys, warnings
from pathlib import Path
import pandas as pd
warnings.simplefilter("ignore")
from tests.pipelines.synthetic_models import CERTIFICATE, current_data, market
from tests.published import publish
from zenith_core.asset_selection import STAGES
from zenith_core.errors import ZenithError
from zenith_core.job_options import TickerTrainingOptions
from zenith_core.model_kinds.table import MODEL_KINDS
from zenith_pipelines.definitions import defs
from zenith_pipelines.models.training import Lineage, TrainingData, trainer_of_kind
from zenith_pipelines.production.live_evaluation import evaluate
from zenith_pipelines.production.promotion import promote_if_better
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.registration import register
from zenith_serving.prediction.predictor import make_predictor
from zenith_serving.registry import open_registry
from zenith_serving.registry.version_listing import list_models
from zenith_serving.settings import Settings

home = Path(sys.argv[1])
kind = MODEL_KINDS["standstill"]
features = market(sessions=400)
train_on = features.iloc[:300]
lineage = Lineage("AAPL", "d1", "r1", str(train_on.index[-1].date()), "f5")
data = TrainingData(train_on, pd.Series(True, index=train_on.index), (), lineage)
candidate = trainer_of_kind(kind)(data, kind.options(width=2.0, horizon=10), lambda *_: None)
registry = ModelRegistry(f"sqlite:///{home}/mlflow.db", home / "artifacts")
register(registry, candidate, CERTIFICATE, "run-1")
current = current_data("AAPL", features)
decision = promote_if_better(registry, "standstill", 1, current)
evaluation = evaluate(registry, "standstill", current, features["close"])
for ticker in ("AAPL", "MSFT"):
    publish(home, "serving_snapshot", ticker, {**current.snapshot.to_json(), "ticker": ticker})
settings = Settings(zenith_home=home, mlflow_tracking_uri=f"sqlite:///{home}/mlflow.db")
answer = make_predictor(settings).predict_price("AAPL", 3).model_dump(mode="json")
try:
    other = make_predictor(settings).predict_price("MSFT")
except ZenithError as error:
    other = error
(listed,) = list_models(open_registry(settings.tracking_uri)).models
schema = defs.resolve_job_def("retrain_model").run_config_schema.config_type
for name in ("ops", "standstill_model", "config"):
    schema = schema.fields[name].config_type
try:
    problem = TickerTrainingOptions(models={"standstill": {"width": 11}})
except ValueError as error:
    problem = error.errors()[0]["msg"]
print(json.dumps({
    "stages": STAGES, "options": list(schema.fields), "decision": decision["outcome"], "answer": answer,
    "evaluation": [evaluation["status"], evaluation["rows"]], "listed": [listed.model_type, listed.metrics["loss"]],
    "problem": str(problem), "other": str(other), "horizon": candidate.metrics["horizon"],
}))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Return a folder with the example installed, beside nothing else."""
    return install(EXAMPLE, tmp_path_factory.mktemp("example"))


def run(package, tmp_path, models, program, answers=""):
    names = {"ZENITH_MODELS": models, "ZENITH_ANSWERS": answers}
    environment = {**os.environ, "PYTHONPATH": str(package), **names}
    command = [sys.executable, "-c", program, str(tmp_path)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_package_adds_a_model_to_everything_that_the_table_makes(package, tmp_path):
    put_mlflow_database(tmp_path)

    process = run(package, tmp_path, "lstm,ensemble,standstill", PROGRAM, "AAPL:price=standstill")

    assert process.returncode == 0, process.stderr[-2000:]
    facts = json.loads(process.stdout.splitlines()[-1])
    assert {"standstill_model", "standstill_backtest"} < set(facts["stages"])
    assert facts["options"] == ["horizon", "width"]
    assert (facts["decision"], facts["horizon"]) == ("promoted", 10)
    assert facts["evaluation"] == ["scored", 100 - 10]
    assert facts["listed"] == ["standstill", "mae"]
    assert facts["problem"] == "standstill.width: Input should be less than or equal to 10"
    assert facts["other"] == "lstm-MSFT has no version in Production yet"
    answer = facts["answer"]
    assert (answer["model_type"], answer["skill"]["horizon"], len(answer["predictions"])) == ("standstill", 3, 3)
    assert answer["predictions"][0]["price"] == pytest.approx(answer["current_price"], rel=1e-6)


@pytest.mark.slow
def test_an_installed_package_that_is_not_named_changes_nothing(package, tmp_path):
    process = run(package, tmp_path, "", "from zenith_core.model_kinds.table import KINDS; print(*KINDS)")

    assert process.stdout.split() == ["lstm", "ensemble"]
