import json

import numpy as np
import pandas as pd
import pytest

from tests.pipelines.edge_table import edge_table
from zenith_core.errors import NonFiniteInput, TooShortHistory, TrainingError
from zenith_core.evaluation.metrics import signal_metrics
from zenith_core.evaluation.walk_forward import WalkForward
from zenith_core.features.targets import signal_labels
from zenith_core.forecasting.abstention import Limits
from zenith_core.forecasting.calibration import class_frequencies
from zenith_core.inference import SIGNALS
from zenith_pipelines.models import ensemble_walk_forward as signal_study
from zenith_pipelines.models.ensemble import EnsembleConfig, fit_ensemble, predict_probabilities
from zenith_pipelines.models.ensemble_walk_forward import study_signals
from zenith_pipelines.models.onnx_artifact import onnx_run

pytestmark = pytest.mark.slow  # whole studies

COLUMNS = ("a", "b", "c")
CONFIG = EnsembleConfig(trees=10, boosting_rounds=10, horizon=3)
SPLIT = WalkForward(folds=2, test_share=0.4, validation=20, gap=4, min_train=100)
WARM_UP = 7
SESSIONS = 400


def feature_table(seed=0, edge=0.8):
    table = edge_table(SESSIONS, COLUMNS, edge, seed)
    table.loc[table.index[:WARM_UP], list(COLUMNS)] = np.nan
    return table


@pytest.fixture(scope="module")
def table():
    return feature_table()


@pytest.fixture(scope="module")
def study(table):
    return study_signals(table, COLUMNS, CONFIG, SPLIT)


def test_every_test_session_has_one_signal_with_its_reason(study, table):
    signals = study.signals

    assert list(signals.columns) == ["date", "sell", "hold", "buy", "likeliest", "signal", "reason", "label"]
    rows = int((SESSIONS - WARM_UP) * 0.4) // 2 * 2
    assert signals["date"].tolist() == table.index[-rows:].tolist()
    probabilities = signals[list(SIGNALS)]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert (signals["likeliest"] == probabilities.idxmax(axis=1)).all()
    assert ((signals["signal"] == "hold") == (signals["reason"] != "model")).all()


def test_labels_are_the_actual_moves_and_empty_where_unknown(study, table):
    score = np.log(table["close"].shift(-3) / table["close"]) / (0.02 * 3**0.5)
    labels = study.signals.set_index("date")["label"]
    actual = score.loc[labels.index].dropna()

    assert labels.iloc[-4:].eq("").tolist() == [False, True, True, True]
    assert (labels[actual.index] == np.select([actual > 0.5, actual < -0.5], ["buy", "sell"], "hold")).all()


def test_later_sessions_change_no_earlier_signal(study, table):
    now = pd.Timestamp(study.facts["folds"][1]["test"][0])
    other_future, other = table.copy(), feature_table(seed=9)
    later = table.index > now
    other_future.loc[later, list(COLUMNS)] = other.loc[later, list(COLUMNS)]
    other_future.loc[later, "close"] = other.loc[later, "close"]

    signals = study_signals(other_future, COLUMNS, CONFIG, SPLIT).signals

    columns = ["date", *SIGNALS, "likeliest", "signal", "reason"]
    before = study.signals["date"] <= now
    pd.testing.assert_frame_equal(signals.loc[before, columns], study.signals.loc[before, columns])
    assert not signals.loc[~before, columns].equals(study.signals.loc[~before, columns])


def test_later_sessions_change_no_earlier_calibration(study, table):
    end = pd.Timestamp(study.facts["folds"][1]["test"][0])
    later = table.index >= end
    other_future = table.copy()
    other_future.loc[later, "close"] = feature_table(seed=9).loc[later, "close"]

    facts = study_signals(other_future, COLUMNS, CONFIG, SPLIT).facts

    assert [fold["calibration"] for fold in facts["folds"]] == [f["calibration"] for f in study.facts["folds"]]
    assert facts["final"]["calibration"] != study.facts["final"]["calibration"]


def test_a_fold_is_calibrated_on_votes_for_its_own_training_rows(study):
    rows = [fold["calibration"]["rows"] for fold in [*study.facts["folds"], study.facts["final"]]]

    assert rows[0] == study.facts["folds"][0]["train_rows"]  # all of them, each by a model trained on other rows
    assert rows[1] == rows[0] + 78 - SPLIT.gap  # and the first test block, without the gap
    assert rows[2] == rows[1] + 78


def test_no_model_votes_on_its_training_rows_or_their_neighbours(table, monkeypatch):
    session = {value: number for number, value in enumerate(table["a"].to_numpy(np.float32))}
    training, voting = [], []

    def fit(config, values, labels):
        training.append([session[value] for value in values[:, 0]])
        return fit_ensemble(config, values, labels)

    def predict(model, values):
        voting.append([session[value] for value in values[:, 0]])
        return predict_probabilities(model, values)

    monkeypatch.setattr(signal_study, "fit_ensemble", fit)
    monkeypatch.setattr(signal_study, "predict_probabilities", predict)
    study_signals(table, COLUMNS, CONFIG, SPLIT)

    votes = list(zip(training, voting, strict=False))[:6]  # four blocks and two folds, before the export
    assert [len(rows) for _, rows in votes] == [59, 58, 58, 58, 78, 78]
    for training_rows, rows in votes:
        assert np.abs(np.subtract.outer(training_rows, rows)).min() > SPLIT.gap


def test_a_planted_edge_is_traded_and_noise_is_not(study):
    signals = signal_metrics(study.signals, CONFIG.horizon)
    noise_signals = study_signals(feature_table(edge=0), COLUMNS, CONFIG, SPLIT).signals
    noise = signal_metrics(noise_signals, CONFIG.horizon)

    assert signals["beats_naive"]
    assert signals["signalled"] > 0.3
    assert all(fold["calibration"]["slope"] > 0.5 for fold in study.facts["folds"])
    assert not noise["beats_naive"]
    assert noise["signalled"] == 0
    assert set(noise_signals["reason"]) <= {"fails_baseline", "outside_training_range"}


def test_shuffled_targets_have_no_skill(table):
    returns = np.random.default_rng(5).permutation(np.log(table["close"]).diff().fillna(0))
    random_walk = table.assign(close=50 * np.exp(np.cumsum(returns)))

    study = study_signals(random_walk, COLUMNS, CONFIG, SPLIT)

    assert not signal_metrics(study.signals, CONFIG.horizon)["beats_naive"]
    assert study.facts["final"]["calibration"]["slope"] < 0.2


def test_the_model_abstains_on_rows_unlike_its_training_rows(table):
    outlier = table.copy()
    last = table.index[-20:]
    outlier.loc[last, "b"] += 100

    reasons = study_signals(outlier, COLUMNS, CONFIG, SPLIT).signals.set_index("date")["reason"]

    assert (reasons[last] == "outside_training_range").all()
    assert (reasons.drop(last) != "outside_training_range").mean() > 0.95


def test_the_limits_of_the_final_model_are_those_of_its_training_rows(study, table):
    limits = Limits.from_json(study.facts["limits"])
    training_rows = table.iloc[WARM_UP:-4][list(COLUMNS)]

    np.testing.assert_allclose(limits.lower, training_rows.min(), rtol=1e-6)
    np.testing.assert_allclose(limits.upper, training_rows.max(), rtol=1e-6)
    labels = signal_labels(table["close"].to_numpy(), table["volatility"].to_numpy(), CONFIG.horizon, CONFIG.threshold)
    np.testing.assert_allclose(limits.base_rates, class_frequencies(labels[:-4], 3))  # the warm-up's labels too


def test_the_same_seed_and_data_give_the_same_study(study, table):
    again = study_signals(table, COLUMNS, CONFIG, SPLIT)

    assert again.onnx == study.onnx
    assert again.facts == study.facts
    pd.testing.assert_frame_equal(again.signals, study.signals)


def test_the_facts_describe_the_study(study):
    facts = json.loads(json.dumps(study.facts, allow_nan=False))

    assert facts["config"]["threshold"] == 0.5
    assert facts["data_end"] == "2021-07-13"
    assert sum(facts["importances"].values()) == pytest.approx(1)
    assert list(facts["importances"]) == list(COLUMNS)
    first, second = facts["folds"]
    assert first["test"][1] < second["test"][0]
    assert first["train_rows"] == 393 - 156 - 4  # all origins, without the test and the gap before it
    assert facts["final"]["train_rows"] == 393 - 4


def test_no_label_uses_a_suspect_close(study, table):
    usable = pd.Series(True, index=table.index)
    usable.iloc[60] = False  # the label of 57 ends at it, that of 60 starts from it

    facts = study_signals(table, COLUMNS, CONFIG, SPLIT, usable=usable).facts

    assert facts["final"]["train_rows"] == study.facts["final"]["train_rows"] - 2


def test_the_final_model_forecasts_from_the_newest_row(study, table):
    (probabilities,) = onnx_run(study.onnx)(
        ["probabilities"], {"features": table[list(COLUMNS)].to_numpy(np.float32)[-1:]}
    )

    assert probabilities.shape == (1, 3)
    assert probabilities.sum() == pytest.approx(1, abs=1e-6)


def test_progress_counts_the_folds(table):
    calls = []

    study_signals(table, COLUMNS, CONFIG, SPLIT, lambda count, total: calls.append((count, total)))

    assert calls == [(count, 7) for count in range(1, 8)]  # four blocks, two folds, the model to serve


def test_prices_that_never_fall_are_refused_because_a_class_is_missing(table):
    rising = table.assign(close=np.exp(np.arange(SESSIONS) * 0.02))

    with pytest.raises(TrainingError, match="training labels is sell or hold"):
        study_signals(rising, COLUMNS, CONFIG, SPLIT)


def test_a_study_without_labelled_rows_is_refused(table):
    usable = pd.Series(False, index=table.index)

    with pytest.raises(TrainingError, match="^0 labelled rows to train on: at least 4 are needed$"):
        study_signals(table, COLUMNS, CONFIG, SPLIT, usable=usable)


def test_bad_input_is_refused(table):
    bad_table = table.copy()
    bad_table.loc[bad_table.index[100], "b"] = np.nan

    with pytest.raises(NonFiniteInput, match=r"^b is nan on 2020-05-20: "):
        study_signals(bad_table, COLUMNS, CONFIG, SPLIT)
    with pytest.raises(TooShortHistory, match="^90 sessions are too few"):
        study_signals(table.iloc[:90], COLUMNS, CONFIG, SPLIT)
    with pytest.raises(TrainingError, match="a gap of 2 sessions leaks"):
        study_signals(table, COLUMNS, CONFIG, WalkForward(2, 0.4, 20, 2, 100))
