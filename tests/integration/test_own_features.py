"""The guide's example of a feature of one's own: certified, trained on, and served by a process without its code."""

import json
import os
import subprocess
import sys

import pytest

from tests.doc_pages import DOCS, blocks
from tests.empty_databases import put_mlflow_database
from zenith_core.features.model_features import FEATURES
from zenith_serving.prediction.predictor import make_predictor
from zenith_serving.settings import Settings

pytestmark = pytest.mark.slow

PROGRAM = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import pandas as pd
from tests.core.markets import random_prices
from tests.published import publish
from zenith_core.features.leakage import leakage_certificate
from zenith_core.features.model_features import FEATURES, WARM_UP, feature_spec_hash, features
from zenith_core.model_kinds.options import EnsembleOptions
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.models.training import Lineage, TrainingData, train_ensemble
from zenith_pipelines.production.serving_snapshot import make_snapshot
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.registration import register

home = Path(sys.argv[1])
prices = random_prices(1120)
table = features(prices)
facts = {"feature_spec": feature_spec_hash(), "data_version": "d1"}
certificate = leakage_certificate(features, prices, table, inputs=FEATURES, warm_up=WARM_UP, **facts)
lineage = Lineage("AAPL", "d1", "r1", str(table.index[-1].date()), facts["feature_spec"])
data = TrainingData(table, pd.Series(True, index=table.index), (), lineage)
small = EnsembleOptions(trees=2, boosting_rounds=2)
candidate = train_ensemble(data, small, lambda *_: None)
registry = ModelRegistry(f"sqlite:///{home}/mlflow.db", home / "artifacts")
version = register(registry, candidate, certificate, "run-1")
registry.promote(version.name, version.version)
cleaned = Dataset({"prices": prices}, {"data_version": "d1", "currency": "USD"})
publish(home, "serving_snapshot", "AAPL", make_snapshot("AAPL", cleaned, Dataset({"f": table}, facts)).to_json())
print(json.dumps({"features": FEATURES, "passed": certificate["passed"], "leakage": version.tags["leakage"]}))
"""


def test_the_guides_feature_is_certified_trained_on_and_served_without_its_code(tmp_path):
    put_mlflow_database(tmp_path)
    example = next(block for block in blocks(DOCS / "guides" / "own-features.md") if block.language == "python")
    (tmp_path / "features.py").write_text(example.text)
    environment = {**os.environ, "ZENITH_FEATURES": str(tmp_path / "features.py")}

    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert process.returncode == 0, process.stderr[-2000:]
    facts = json.loads(process.stdout.splitlines()[-1])
    assert facts["features"] == [*FEATURES, "overnight_gap"]
    assert facts["passed"]
    assert "overnight_gap" not in FEATURES  # the code of this process
    settings = Settings(zenith_home=tmp_path, mlflow_tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    answer = make_predictor(settings).predict_signal("AAPL")
    assert answer.model_type == "ensemble"
    assert sum(answer.probabilities.model_dump().values()) == pytest.approx(1, abs=1e-3)
