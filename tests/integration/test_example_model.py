"""Packages add kinds of model by an entry point: their assets, options, versions and answers. Ours do not change."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.empty_databases import put_mlflow_database
from tests.example_package import install

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1]

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
features = market(sessions=500)
train_on = features.iloc[:400]
lineage = Lineage("AAPL", "d1", "r1", str(train_on.index[-1].date()), "f5")
data = TrainingData(train_on, pd.Series(True, index=train_on.index), (), lineage)
registry = ModelRegistry(f"sqlite:///{home}/mlflow.db", home / "artifacts")
current = current_data("AAPL", features)
for ticker in ("AAPL", "MSFT"):
    publish(home, "serving_snapshot", ticker, {**current.snapshot.to_json(), "ticker": ticker})
settings = Settings(zenith_home=home, mlflow_tracking_uri=f"sqlite:///{home}/mlflow.db")


def facts_of(name, options):
    kind = MODEL_KINDS[name]
    candidate = trainer_of_kind(kind)(data, kind.options(**options, horizon=10), lambda *_: None)
    register(registry, candidate, CERTIFICATE, "run-1")
    decision = promote_if_better(registry, name, 1, current)
    evaluation = evaluate(registry, name, current, features["close"])
    schema = defs.resolve_job_def("retrain_model").run_config_schema.config_type
    for field in ("ops", f"{name}_model", "config"):
        schema = schema.fields[field].config_type
    return {
        "options": list(schema.fields), "decision": decision["outcome"], "horizon": candidate.metrics["horizon"],
        "evaluation": [evaluation["status"], evaluation["rows"]],
        "answer": json.loads(make_predictor(settings).answer(name, "AAPL", 3)),
    }


examples = {
    "standstill": facts_of("standstill", {"width": 2.0}),
    "boosted_quantiles": facts_of("boosted_quantiles", {"rounds": 2}),
}
answer = make_predictor(settings).predict_price("AAPL", 3).model_dump(mode="json")
try:
    other = make_predictor(settings).predict_price("MSFT")
except ZenithError as error:
    other = error
listed = list_models(open_registry(settings.tracking_uri)).models
try:
    problem = TickerTrainingOptions(models={"standstill": {"width": 11}})
except ValueError as error:
    problem = error.errors()[0]["msg"]
print(json.dumps({
    "stages": STAGES, "examples": examples, "answer": answer, "problem": str(problem), "other": str(other),
    "listed": {version.model_type: version.metrics["loss"] for version in listed},
}))
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Return a path with the examples installed, beside nothing else."""
    names = ("model", "xgboost", "statsforecast")
    return os.pathsep.join(str(install(EXAMPLES / f"example_{name}", tmp_path_factory.mktemp(name))) for name in names)


def run(packages, tmp_path, models, program, answers=""):
    names = {"ZENITH_MODELS": models, "ZENITH_ANSWERS": answers}
    environment = {**os.environ, "PYTHONPATH": packages, **names}
    command = [sys.executable, "-c", program, str(tmp_path)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_packages_add_models_to_everything_that_the_table_makes(packages, tmp_path):
    put_mlflow_database(tmp_path)
    models = "lstm,ensemble,standstill,boosted_quantiles,ets,theta"

    process = run(packages, tmp_path, models, PROGRAM, "AAPL:price=standstill")

    assert process.returncode == 0, process.stderr[-2000:]
    facts = json.loads(process.stdout.splitlines()[-1])
    names = ("standstill", "boosted_quantiles", "ets", "theta")
    assert {f"{name}_{asset}" for name in names for asset in ("model", "backtest")} < set(facts["stages"])
    standstill, boosted = (facts["examples"][name] for name in names[:2])
    assert standstill["options"] == ["horizon", "width"]
    assert boosted["options"] == ["horizon", "rounds", "depth", "learning_rate"]
    for name, example in facts["examples"].items():
        assert (example["decision"], example["horizon"]) == ("promoted", 10)
        assert example["evaluation"] == ["scored", 100 - 10]
        assert (example["answer"]["model_type"], len(example["answer"]["predictions"])) == (name, 3)
    assert facts["listed"] == {"standstill": "mae", "boosted_quantiles": "mae"}
    assert facts["problem"] == "standstill.width: Input should be less than or equal to 10"
    assert facts["other"] == "lstm-MSFT has no version in Production yet"
    answer = facts["answer"]
    assert (answer["model_type"], answer["skill"]["horizon"], len(answer["predictions"])) == ("standstill", 3, 3)
    assert answer["predictions"][0]["price"] == pytest.approx(answer["current_price"], rel=1e-6)


def test_installed_packages_that_are_not_named_change_nothing(packages, tmp_path):
    process = run(packages, tmp_path, "", "from zenith_core.model_kinds.table import KINDS; print(*KINDS)")

    assert process.stdout.split() == ["lstm", "ensemble"]
