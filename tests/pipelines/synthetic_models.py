"""Small models with evidence of known skill, registered like trained ones, for tests of promotion and cleanup."""

from hashlib import sha256

import numpy as np
import pandas as pd
from onnx import TensorProto, helper, numpy_helper

from zenith_core.evaluation.probability_scores import QUANTILE_COLUMNS
from zenith_core.features.model_features import FEATURES
from zenith_core.features.targets import signal_labels
from zenith_core.inference import HORIZONS, QUANTILES, SIGNALS
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.models.onnx_artifact import IR_VERSION, OPSET, metadata, with_metadata
from zenith_pipelines.models.training import Candidate
from zenith_pipelines.production.champion_challenger import CurrentData
from zenith_pipelines.registry.registration import register

NUMBER = TensorProto.FLOAT
SPEC = "f5"
VOLATILITY = 0.01
WINDOW = 3
Z = np.array([-1.6449, -1.2816, -0.6745, 0.0, 0.6745, 1.2816, 1.6449])
CERTIFICATE = {
    "passed": True,
    "sessions": 900,
    "prefixes": {"tested": ["a"], "values": 2, "largest_difference": 0.0},
    "late_starts": {"tested": ["b"], "values": 2, "largest_difference": 3e-10},
    "offending_columns": [],
}


def market(sessions=500, seed=0):
    """Return a feature table of a random walk."""
    index = pd.bdate_range("2020-01-01", periods=sessions, name="date")
    table = pd.DataFrame(1.0, index=index, columns=list(FEATURES))
    returns = np.random.default_rng(seed).normal(0, VOLATILITY, sessions)
    return table.assign(close=100 * np.exp(np.cumsum(returns)), volatility=VOLATILITY)


def current_data(ticker, features, spec=SPEC):
    """Return the data that serving has after the last session of `features`."""
    last = features.index[-1]
    sessions = tuple(day.date() for day in pd.bdate_range(last, periods=HORIZONS + 1)[1:])
    window = np.ones((WINDOW, len(FEATURES)), dtype=np.float32)
    close = float(features["close"].iloc[-1])
    return CurrentData(
        ServingSnapshot(ticker, "d1", spec, last.date(), close, "USD", VOLATILITY, window, sessions), features
    )


def price_evidence(features, foresight=0.0, width=1.0, first=100):
    """Return forecasts from session `first` on that know `foresight` of each return; `width` scales their bands."""
    close = np.append(np.log(features["close"].to_numpy()), np.full(HORIZONS, np.nan))
    origins = np.arange(first, len(features))
    horizons = np.arange(1, HORIZONS + 1)
    growth_ahead = close[origins[:, np.newaxis] + horizons] - close[origins][:, np.newaxis]
    guess = np.where(np.isnan(growth_ahead), 0.0, foresight * growth_ahead)
    spread = width * VOLATILITY * np.sqrt(horizons)[:, np.newaxis] * Z

    def prices(growth):
        return (features["close"].to_numpy()[origins][:, np.newaxis] * np.exp(growth)).ravel()

    levels = {name: prices(guess + spread[:, k]) for k, name in enumerate(QUANTILE_COLUMNS)}
    return pd.DataFrame(
        {
            "origin": np.repeat(features.index[origins].to_numpy(), HORIZONS),
            "horizon": np.tile(horizons, len(origins)),
            "close": np.repeat(features["close"].to_numpy()[origins], HORIZONS),
            "forecast": prices(guess),
            "lower": levels["q05"],
            "upper": levels["q95"],
            **levels,
            "actual": prices(growth_ahead),
        }
    )


def signal_evidence(features, foresight=0.0, first=100):
    """Return probabilities that move from a third each towards the actual class by `foresight`."""
    labels = signal_labels(features["close"].to_numpy(), features["volatility"].to_numpy())[first:]
    outcome = np.where(labels[:, np.newaxis] >= 0, labels[:, np.newaxis] == np.arange(3), 1 / 3)
    probabilities = (1 - foresight) / 3 + foresight * outcome
    return pd.DataFrame(
        {
            "date": features.index[first:],
            **dict(zip(SIGNALS, probabilities.T, strict=True)),
            "label": np.array([*SIGNALS, ""])[labels],
        }
    )


def price_onnx(growth=1.0, data_end="2013-03-01", **config):
    """Return an ONNX model: price = close * growth at each horizon, quantiles likewise."""
    nodes = [
        helper.make_node("Unsqueeze", ["close", "one"], ["column"]),
        helper.make_node("Mul", ["column", "factors"], ["price"]),
        helper.make_node("Unsqueeze", ["price", "two"], ["flat"]),
        helper.make_node("Mul", ["flat", "levels"], ["quantiles"]),
    ]
    inputs = [
        helper.make_tensor_value_info("window", NUMBER, ["n", WINDOW, len(FEATURES)]),
        helper.make_tensor_value_info("close", NUMBER, ["n"]),
        helper.make_tensor_value_info("volatility", NUMBER, ["n"]),
    ]
    outputs = [
        helper.make_tensor_value_info("price", NUMBER, ["n", HORIZONS]),
        helper.make_tensor_value_info("quantiles", NUMBER, ["n", HORIZONS, len(QUANTILES)]),
    ]
    constants = {
        "factors": np.full((1, HORIZONS), growth, dtype=np.float32),
        "levels": np.exp(0.05 * Z).astype(np.float32),
        "one": np.array([1]),
        "two": np.array([2]),
    }
    return _artifact(nodes, inputs, outputs, constants, {"window": WINDOW, **config}, data_end)


def signal_onnx(probabilities=(1 / 3, 1 / 3, 1 / 3), data_end="2013-03-01", **config):
    """Return an ONNX model with the same probabilities for all features."""
    nodes = [
        helper.make_node("MatMul", ["features", "zeros"], ["nothing"]),
        helper.make_node("Add", ["nothing", "constant"], ["probabilities"]),
    ]
    inputs = [helper.make_tensor_value_info("features", NUMBER, ["n", len(FEATURES)])]
    outputs = [helper.make_tensor_value_info("probabilities", NUMBER, ["n", 3])]
    constants = {
        "zeros": np.zeros((len(FEATURES), 3), dtype=np.float32),
        "constant": np.array(probabilities, dtype=np.float32),
    }
    return _artifact(nodes, inputs, outputs, constants, {"horizon": 5, "threshold": 0.5, **config}, data_end)


def _artifact(nodes, inputs, outputs, constants, config, data_end):
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "synthetic", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return with_metadata(model.SerializeToString(), {"study": {"config": config}, "data_end": data_end})


def register_version(
    registry,
    kind,
    ticker,
    features,
    *,
    onnx=None,
    leakage=CERTIFICATE,
    spec=SPEC,
    skill=0.01,
    config=None,
    **evidence_options,
):
    """Register a version trained on `features`, with evidence of `price_evidence` or `signal_evidence`.

    config: options of its configuration, such as horizon
    """
    config = config or {}
    data_end = str(features.index[-1].date())
    evidence = (price_evidence if kind == "lstm" else signal_evidence)(features, **evidence_options)
    artifact = onnx or (price_onnx if kind == "lstm" else signal_onnx)(data_end=data_end, **config)
    if onnx is None:  # as a trained model, it names its evidence
        digest = sha256(pd.util.hash_pandas_object(evidence).to_numpy().tobytes()).hexdigest()
        artifact = with_metadata(artifact, {**metadata(artifact), "evidence": [digest, skill, leakage["passed"], spec]})
    facts = {
        "kind": kind,
        "ticker": ticker,
        "data_version": "d1",
        "raw_content_hash": "r1",
        "data_end": data_end,
        "feature_spec": spec,
        "code_version": "0.1.0+abc",
        "versions": {"numpy": "2.1"},
        "study": {"config": {"epochs": 1, **config}},
    }
    metrics = {
        "skill": skill,
        "mase": 1.0,
        "beats_naive": False,
        "brier": 0.66,
        "brier_baseline": 0.66,
        "ece": 0.02,
        "p_value": 0.5,
    }
    return register(registry, Candidate(kind, artifact, evidence, metrics, facts), leakage, "run-1")
