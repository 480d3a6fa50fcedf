"""The study of price models of packages, and the models of the example packages in it."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.pipelines.synthetic_models import market
from zenith_core.errors import ParityError
from zenith_core.features.model_features import FEATURES
from zenith_core.inference import HORIZONS, QUANTILES
from zenith_core.model_kinds.options import ModelOptions
from zenith_pipelines.models.quantile_study import train_quantiles
from zenith_pipelines.models.training import Lineage, TrainingData, trainer_of_kind
from zenith_pipelines.models.training_inputs import ignore_progress
from zenith_pipelines.production.replay import replay_prices

EXAMPLES = Path(__file__).parents[2]
WINDOW = 4


class PastQuantiles:
    """Forecasts the quantiles of the past targets, moved by the window's mean of the first feature."""

    def __init__(self, windows, targets):
        self.levels = np.quantile(targets, QUANTILES, axis=0).T
        self.rows = len(windows)

    def quantiles(self, windows):
        return self.levels + windows[:, :, 0].mean(axis=1)[:, np.newaxis, np.newaxis]

    def nodes(self, shift=0.0):
        from onnx.helper import make_node

        nodes = [
            make_node("Gather", ["window", "first"], ["column"], axis=2),
            make_node("ReduceMean", ["column", "steps"], ["mean"]),
            make_node("Unsqueeze", ["mean", "steps"], ["mean_cube"]),
            make_node("Add", ["mean_cube", "levels"], ["scores"]),
        ]
        return nodes, {"first": np.array(0), "steps": np.array([1]), "levels": self.levels + shift}


def table(sessions=400):
    features = market(sessions=sessions)
    noise = np.random.default_rng(5).normal(size=(sessions, len(FEATURES)))
    returns = np.log(features["close"]).diff().fillna(0.0) / features["volatility"]
    return features.assign(**dict(zip(FEATURES, noise.T, strict=True))).assign(return_1=returns)


def training_data(features, future=()):
    lineage = Lineage("AAPL", "d1", "r1", str(features.index[-1].date()), "f5")
    return TrainingData(features, pd.Series(True, index=features.index), future, lineage)


def study(features, fit=PastQuantiles, window=WINDOW):
    return train_quantiles("own", training_data(features), ModelOptions(), window, fit, ignore_progress)


@pytest.fixture(scope="module")
def candidate():
    """Return the candidate of one study of `table()`."""
    return study(table())


@pytest.mark.slow
def test_a_forecast_knows_nothing_that_comes_after_its_origin(candidate):
    features, evidence = table(), candidate.evidence
    origin = evidence["origin"].unique()[len(evidence["origin"].unique()) // 2]
    other = features.copy()
    other.loc[other.index > origin, "close"] *= np.linspace(2, 3, (other.index > origin).sum())

    changed = study(other).evidence

    columns = ["forecast", "lower", "upper", "q25"]
    before = evidence["origin"] <= origin
    pd.testing.assert_frame_equal(evidence.loc[before, columns], changed.loc[before, columns])
    assert not np.allclose(evidence["forecast"], changed["forecast"])


def test_each_fold_learns_all_rows_whose_targets_ended_before_its_test(candidate):
    facts = candidate.facts["study"]

    starts = [pd.Timestamp(fold["test"][0]) for fold in facts["folds"]]
    ends = [pd.Timestamp(fold["train"][1]) for fold in facts["folds"]]
    assert [len(pd.bdate_range(end, start)) - 2 for end, start in zip(ends, starts, strict=True)] == [HORIZONS] * 4
    assert facts["config"] == {"horizon": 5, "window": WINDOW}


def test_the_served_model_continues_the_study(candidate):
    features = table()

    replayed = replay_prices(candidate.onnx, features, features.index[-50], features["close"])

    rows = replayed["origin"] == features.index[-1]
    model = PastQuantiles(*_rows(features))
    levels = model.quantiles(np.stack([features[list(FEATURES)].to_numpy()[-WINDOW:]]))[0]
    deviation = features["volatility"].iloc[-1] * np.sqrt(np.arange(1, HORIZONS + 1))
    expected = features["close"].iloc[-1] * np.exp(levels * deviation[:, np.newaxis])
    np.testing.assert_allclose(replayed.loc[rows, "upper"], expected[:, -1], rtol=1e-5)
    np.testing.assert_allclose(replayed.loc[rows, "forecast"], expected[:, QUANTILES.index(0.5)], rtol=1e-5)


def _rows(features):
    """Return the windows and targets of all rows whose targets are known, by a plain loop."""
    values, close = features[list(FEATURES)].to_numpy(), np.log(features["close"].to_numpy())
    volatility = features["volatility"].to_numpy()
    ends = range(WINDOW - 1, len(features) - HORIZONS)
    ahead = np.arange(1, HORIZONS + 1)
    windows = np.stack([values[end - WINDOW + 1 : end + 1] for end in ends])
    targets = np.stack([(close[end + ahead] - close[end]) / (volatility[end] * np.sqrt(ahead)) for end in ends])
    return windows, targets


def test_an_export_that_differs_from_the_model_is_refused():
    class Shifted(PastQuantiles):
        def nodes(self):
            return super().nodes(shift=0.1)

    with pytest.raises(ParityError, match="the ONNX export differs from the trained model"):
        study(table(), Shifted)


@pytest.fixture
def example(monkeypatch):
    """Return a function that imports the module of an example package."""
    from importlib import import_module

    def load(package, module):
        monkeypatch.syspath_prepend(EXAMPLES / package)
        monkeypatch.delitem(sys.modules, module, raising=False)
        return import_module(module)

    return load


@pytest.mark.slow
def test_boosted_quantiles_find_a_width_that_depends_on_a_feature(example):
    package = example("example_xgboost", "boosted_quantiles")
    features = table(600)
    calm = (np.arange(600) // 60) % 2 == 0
    returns = np.random.default_rng(2).normal(0, np.where(calm, 0.005, 0.02))
    features = features.assign(close=100 * np.exp(np.cumsum(returns)), rsi_level=calm.astype(float))

    options = package.Options(rounds=5, learning_rate=0.5)
    candidate = trainer_of_kind(package.KIND)(training_data(features), options, ignore_progress)

    next_day = candidate.evidence[candidate.evidence["horizon"] == 1].set_index("origin")
    width = ((next_day["upper"] - next_day["lower"]) / next_day["close"]).groupby(features["rsi_level"]).mean()
    assert width[0.0] > 1.5 * width[1.0]
    assert (np.diff(candidate.evidence[[f"q{round(100 * level):02d}" for level in QUANTILES]]) >= 0).all()


def test_smoothing_with_alpha_1_forecasts_the_last_price_and_the_drift(example):
    smoothing = example("example_statsforecast", "smoothing")
    returns = np.random.default_rng(3).normal(size=(2, 20))
    ahead = np.arange(1, HORIZONS + 1)

    path = smoothing.Smoother(1.0, drift=0.1).path(returns)

    np.testing.assert_allclose(path, np.tile(0.1 * ahead, (2, 1)), atol=1e-12)


@pytest.mark.slow
def test_smoothing_is_served_as_the_matrix_that_it_is(example):
    smoothing = example("example_statsforecast", "smoothing")
    smoother = smoothing.Smoother(0.3, 0.05, 0.9, 0.2, 0.01)
    features = table(450)

    def fit(windows, targets):
        return smoothing.Smoothing(lambda series: smoother, windows, targets)

    candidate = study(features, fit, window=60)  # checks that the export is the model

    last = candidate.evidence[candidate.evidence["origin"] == candidate.evidence["origin"].max()]
    end = features.index.get_loc(last["origin"].iloc[0])
    path = smoother.path(features["return_1"].to_numpy()[np.newaxis, end - 59 : end + 1])[0]
    expected = features["close"].iloc[end] * np.exp(path * features["volatility"].iloc[end])
    np.testing.assert_allclose(last["forecast"], expected, rtol=1e-5)
