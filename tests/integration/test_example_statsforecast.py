"""The example package with statsforecast itself, whose import alone takes ten seconds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.example_package import UV

EXAMPLE = Path(__file__).parents[1] / "example_statsforecast"
ROOT = Path(__file__).parents[2]

PROGRAM = """
import json
import numpy as np
import smoothing
from statsforecast.models import AutoETS, Theta
from tests.pipelines.models.test_quantile_study import table, training_data
from zenith_pipelines.models.training import trainer_of_kind

random = np.random.default_rng(0)
walk, noise = random.normal(size=1000), random.normal(size=1001)
series = {
    "walk": walk,
    "mean-reverting": np.diff(np.cumsum(random.normal(0, 0.3, 1001)) + noise),
    "trend": 0.3 * walk + np.cumsum(random.normal(0, 0.02, 1000)),
}
theirs = {smoothing.fit_ets: AutoETS(season_length=1, model="AZN"), smoothing.fit_theta: Theta(season_length=1)}
differences, forms = {}, set()
for name, returns in series.items():
    price = np.cumsum(returns)
    for fit, model in theirs.items():
        smoother, forecast = fit(price), model.fit(price).predict(h=30)["mean"]
        own = price[-1] + smoother.path(returns[np.newaxis, -60:])[0]
        differences[f"{name} {fit.__name__}"] = float(np.abs(own - forecast).max() / np.abs(forecast - price[-1]).max())
        forms.add((smoother.trend != 0, smoother.drift != 0))
candidates = [
    trainer_of_kind(kind)(training_data(table(450)), kind.options(), lambda *_: None)
    for kind in (smoothing.ETS, smoothing.THETA)
]
print(json.dumps({
    "differences": differences, "forms": len(forms), "coverage": [each.metrics["coverage"] for each in candidates],
}))
"""


@pytest.mark.long
def test_smoothing_forecasts_what_statsforecast_does(tmp_path):
    """Install the package with all that it needs, in the versions that the benchmarks use."""
    site = tmp_path / "site"
    options = ["--python", sys.executable, "--target", site, "-c", ROOT / "requirements-bench.lock"]
    subprocess.run([UV, "pip", "install", "-q", *options, EXAMPLE], check=True)
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}

    process = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
    )

    assert process.returncode == 0, process.stderr[-2000:]
    facts = json.loads(process.stdout.splitlines()[-1])
    assert max(facts["differences"].values()) < 5e-3, facts["differences"]
    assert facts["forms"] == 3  # a constant, a trend, and Theta's drift
    assert all(0.8 < coverage < 0.97 for coverage in facts["coverage"])
