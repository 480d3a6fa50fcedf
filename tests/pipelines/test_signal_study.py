import json

import numpy as np
import pandas as pd
import pytest

from zenith_core.errors import NonFiniteInput, TooShortHistory, TrainingError
from zenith_core.inference import SIGNALS
from zenith_core.splits import WalkForward
from zenith_pipelines.models.ensemble import EnsembleConfig
from zenith_pipelines.models.signal_study import study_signals
from zenith_pipelines.onnx_runtime import onnx_run

COLUMNS = ("a", "b", "c")
CONFIG = EnsembleConfig(trees=10, boosting_rounds=10, horizon=3)
SPLIT = WalkForward(folds=2, test_share=0.4, validation=20, gap=4, min_train=100)
WARM_UP = 7
SESSIONS = 400


def feature_table(seed=0):
    rng = np.random.default_rng(seed)
    index = pd.bdate_range("2020-01-01", periods=SESSIONS, name="date")
    table = pd.DataFrame(rng.normal(size=(SESSIONS, 3)), index=index, columns=list(COLUMNS))
    table["close"] = 50 * np.exp(np.cumsum(rng.normal(scale=0.02, size=SESSIONS)))
    table["volatility"] = 0.02
    table.loc[table.index[:WARM_UP], list(COLUMNS)] = np.nan
    return table


@pytest.fixture(scope="module")
def table():
    return feature_table()


@pytest.fixture(scope="module")
def study(table):
    return study_signals(table, COLUMNS, CONFIG, SPLIT)


def test_every_test_session_has_one_signal_the_most_probable(study, table):
    signals = study.signals

    assert list(signals.columns) == ["date", "sell", "hold", "buy", "signal", "label"]
    tested = int((SESSIONS - WARM_UP) * 0.4) // 2 * 2
    assert signals["date"].tolist() == table.index[-tested:].tolist()
    probabilities = signals[list(SIGNALS)]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert (signals["signal"] == probabilities.idxmax(axis=1)).all()


def test_labels_are_what_came_and_empty_where_it_has_not(study, table):
    score = np.log(table["close"].shift(-3) / table["close"]) / (0.02 * 3**0.5)
    labels = study.signals.set_index("date")["label"]
    known = score.loc[labels.index].dropna()

    assert labels.iloc[-4:].eq("").tolist() == [False, True, True, True]
    assert (labels[known.index] == np.select([known > 0.5, known < -0.5], ["buy", "sell"], "hold")).all()


def test_what_comes_later_changes_no_earlier_signal(study, table):
    now = pd.Timestamp(study.facts["folds"][1]["test"][0])
    scrambled, other = table.copy(), feature_table(seed=9)
    later = table.index > now
    scrambled.loc[later, list(COLUMNS)] = other.loc[later, list(COLUMNS)]
    scrambled.loc[later, "close"] = other.loc[later, "close"]

    changed = study_signals(scrambled, COLUMNS, CONFIG, SPLIT).signals

    columns = ["date", *SIGNALS, "signal"]
    before = study.signals["date"] <= now
    pd.testing.assert_frame_equal(changed.loc[before, columns], study.signals.loc[before, columns])
    assert not changed.loc[~before, columns].equals(study.signals.loc[~before, columns])


def test_the_same_seed_and_data_give_the_same_study(study, table):
    again = study_signals(table, COLUMNS, CONFIG, SPLIT)

    assert again.onnx == study.onnx
    assert again.facts == study.facts
    pd.testing.assert_frame_equal(again.signals, study.signals)


def test_the_facts_tell_how_it_was_made(study):
    facts = json.loads(json.dumps(study.facts, allow_nan=False))

    assert facts["config"]["threshold"] == 0.5
    assert facts["data_end"] == "2021-07-13"
    assert sum(facts["importances"].values()) == pytest.approx(1)
    assert list(facts["importances"]) == list(COLUMNS)
    first, second = facts["folds"]
    assert first["test"][1] < second["test"][0]
    assert first["train_rows"] == 393 - 156 - 4  # all origins, without the tested ones and the gap before them
    assert facts["final"]["train_rows"] == 393 - 4


def test_no_label_rests_on_a_suspect_close(study, table):
    usable = pd.Series(True, index=table.index)
    usable.iloc[60] = False  # the label of 57 looks at it, and 60 starts from it

    facts = study_signals(table, COLUMNS, CONFIG, SPLIT, usable=usable).facts

    assert facts["final"]["train_rows"] == study.facts["final"]["train_rows"] - 2


def test_the_model_to_serve_answers_for_the_newest_row(study, table):
    (probabilities,) = onnx_run(study.onnx)(
        ["probabilities"], {"features": table[list(COLUMNS)].to_numpy(np.float32)[-1:]}
    )

    assert probabilities.shape == (1, 3)
    assert probabilities.sum() == pytest.approx(1, abs=1e-6)


def test_progress_counts_the_folds(table):
    seen = []

    study_signals(table, COLUMNS, CONFIG, SPLIT, lambda done, total: seen.append((done, total)))

    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_prices_that_never_fall_have_no_label_to_learn_selling_from(table):
    rising = table.assign(close=np.exp(np.arange(SESSIONS) * 0.02))

    with pytest.raises(TrainingError, match="training labels is sell or hold"):
        study_signals(rising, COLUMNS, CONFIG, SPLIT)


def test_bad_input_is_refused(table):
    broken = table.copy()
    broken.loc[broken.index[100], "b"] = np.nan

    with pytest.raises(NonFiniteInput, match=r"^b is nan on 2020-05-20: "):
        study_signals(broken, COLUMNS, CONFIG, SPLIT)
    with pytest.raises(TooShortHistory, match="^90 sessions are too few"):
        study_signals(table.iloc[:90], COLUMNS, CONFIG, SPLIT)
    with pytest.raises(TrainingError, match="a gap of 2 sessions leaks"):
        study_signals(table, COLUMNS, CONFIG, WalkForward(2, 0.4, 20, 2, 100))
