import json

import numpy as np
import pandas as pd
import pytest

from zenith_core.errors import NonFiniteInput, TooShortHistory, TrainingError
from zenith_core.evaluation.walk_forward import WalkForward
from zenith_core.inference import METADATA_KEY
from zenith_pipelines.models import prepare_backend
from zenith_pipelines.models.lstm import LSTMConfig
from zenith_pipelines.models.lstm_walk_forward import study_prices
from zenith_pipelines.models.onnx_artifact import onnx_run, with_metadata

pytestmark = pytest.mark.slow  # Keras compiles

COLUMNS = ("a", "b", "c")
CONFIG = LSTMConfig(window=10, units=8, dense=6, horizons=4, epochs=2, batch=16)
SPLIT = WalkForward(folds=2, test_share=0.4, validation=48, gap=4, min_train=40)
WARM_UP = 7
SESSIONS = 300


def feature_table(seed=0):
    rng = np.random.default_rng(seed)
    index = pd.bdate_range("2020-01-01", periods=SESSIONS, name="date")
    table = pd.DataFrame(rng.normal(size=(SESSIONS, 3)), index=index, columns=list(COLUMNS))
    table["close"] = 50 * np.exp(np.cumsum(rng.normal(scale=0.02, size=SESSIONS)))
    table["volatility"] = 0.02
    table.loc[table.index[:WARM_UP], list(COLUMNS)] = np.nan
    return table


@pytest.fixture(scope="module", autouse=True)
def backend(tmp_path_factory):
    prepare_backend("jax", tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def table():
    return feature_table()


@pytest.fixture(scope="module")
def study(table):
    return study_prices(table, COLUMNS, CONFIG, SPLIT)


def test_every_test_origin_has_every_horizon_once(study, table):
    forecasts = study.forecasts

    assert list(forecasts.columns) == [
        *("origin", "horizon", "target_date", "close", "forecast", "lower", "upper"),
        *("q05", "q10", "q25", "q50", "q75", "q90", "q95", "actual"),
    ]
    origins = len(table) - WARM_UP - CONFIG.window + 1
    tested = int(origins * 0.4) // 2 * 2
    assert len(forecasts) == tested * CONFIG.horizons
    assert forecasts["origin"].unique().tolist() == table.index[-tested:].tolist()
    assert forecasts["horizon"].tolist() == [1, 2, 3, 4] * tested


def test_actuals_are_the_closes_of_the_target_sessions_and_unknown_beyond_the_last(study, table):
    last = study.forecasts[study.forecasts["origin"] == table.index[-2]]
    known = study.forecasts.dropna(subset="actual")

    assert last["target_date"].tolist() == [table.index[-1], pd.NaT, pd.NaT, pd.NaT]
    assert last["actual"].notna().tolist() == [True, False, False, False]
    np.testing.assert_array_equal(known["actual"], table["close"].loc[known["target_date"]])
    np.testing.assert_array_equal(study.forecasts["close"], table["close"].loc[study.forecasts["origin"]])
    ahead = table.index.get_indexer(known["target_date"]) - table.index.get_indexer(known["origin"])
    np.testing.assert_array_equal(ahead, known["horizon"])


def test_intervals_hold_their_forecasts(study):
    assert (study.forecasts["lower"] <= study.forecasts["forecast"]).all()
    assert (study.forecasts["forecast"] <= study.forecasts["upper"]).all()
    assert (study.forecasts["lower"] < study.forecasts["upper"]).all()


def test_the_quantiles_do_not_cross_and_the_interval_is_the_outermost(study):
    quantiles = study.forecasts[["q05", "q10", "q25", "q50", "q75", "q90", "q95"]]

    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert quantiles["q05"].equals(study.forecasts["lower"].rename("q05"))
    assert quantiles["q95"].equals(study.forecasts["upper"].rename("q95"))


def test_the_same_seed_and_data_give_the_same_study_and_sessions_to_come_are_named(study, table):
    future = [day.date() for day in pd.bdate_range(table.index[-1], periods=4)[1:]]

    again = study_prices(table, COLUMNS, CONFIG, SPLIT, future=future)

    assert again.onnx == study.onnx
    assert again.facts == study.facts
    columns = ["origin", "horizon", "forecast", "lower", "upper", "actual"]
    pd.testing.assert_frame_equal(again.forecasts[columns], study.forecasts[columns])
    last = again.forecasts.iloc[-4:]
    assert [str(day.date()) for day in last["target_date"][:3]] == [str(day) for day in future]
    assert last["target_date"].isna().tolist() == [False, False, False, True]


def test_what_comes_later_changes_no_earlier_forecast_and_no_earlier_interval(study, table):
    now = pd.Timestamp(study.facts["folds"][1]["test"][0])
    scrambled, other = table.copy(), feature_table(seed=9)
    later = table.index > now
    scrambled.loc[later, list(COLUMNS)] = other.loc[later, list(COLUMNS)] * 3
    scrambled.loc[later, "close"] *= np.linspace(1, 3, later.sum())

    changed = study_prices(scrambled, COLUMNS, CONFIG, SPLIT).forecasts

    columns = ["origin", "horizon", "target_date", "close", "forecast", "lower", "q10", "q50", "upper"]
    before = study.forecasts["origin"] <= now
    assert before.sum() > len(before) / 2
    pd.testing.assert_frame_equal(changed.loc[before, columns], study.forecasts.loc[before, columns])
    assert not np.allclose(changed.loc[~before, "forecast"], study.forecasts.loc[~before, "forecast"])


def test_the_facts_tell_how_it_was_made(study, table):
    facts = json.loads(json.dumps(study.facts, allow_nan=False))

    assert facts["config"]["units"] == 8
    assert facts["features"] == list(COLUMNS)
    assert facts["data_end"] == str(table.index[-1].date())
    assert [fold["epochs"] for fold in facts["folds"]] == [2, 2]
    first, second = facts["folds"]
    assert first["train"] == ["2020-01-23", "2020-07-02"]
    assert first["validation"] == ["2020-07-09", "2020-09-14"]
    assert first["test"] == ["2020-09-21", "2020-12-07"]
    assert second["test"][0] == "2020-12-08"
    assert facts["final"]["test"] == []
    assert facts["final"]["validation"][1] == str(table.index[-5].date())


def test_the_model_to_serve_answers_for_the_newest_window(study, table):
    newest = {
        "window": table[list(COLUMNS)].to_numpy(np.float32)[np.newaxis, -CONFIG.window :],
        "close": np.array([table["close"].iloc[-1]], np.float32),
        "volatility": np.array([0.02], np.float32),
    }

    price, quantiles = onnx_run(study.onnx)(["price", "quantiles"], newest)

    assert (price.shape, quantiles.shape) == ((1, 4), (1, 4, 7))
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    assert (quantiles[..., 0] <= price).all()
    assert (price <= quantiles[..., -1]).all()
    np.testing.assert_allclose(price[0], table["close"].iloc[-1], rtol=0.1)


def test_no_target_rests_on_a_suspect_close(study, table):
    usable = pd.Series(True, index=table.index)
    usable.iloc[60] = False  # origins 56 to 59 look at it, and 60 starts from it

    facts = study_prices(table, COLUMNS, CONFIG, SPLIT, usable=usable).facts

    rows = [fold["train_rows"] for fold in [*facts["folds"], facts["final"]]]
    assert rows == [fold["train_rows"] - 5 for fold in [*study.facts["folds"], study.facts["final"]]]


def test_no_forecast_is_held_against_a_suspect_close_or_made_from_one(study, table):
    usable = pd.Series(True, index=table.index)
    usable.iloc[250] = False

    forecasts = study_prices(table, COLUMNS, CONFIG, SPLIT, usable=usable).forecasts

    suspect = table.index[250]
    held, made = forecasts["target_date"] == suspect, forecasts["origin"] == suspect
    assert (held.sum(), made.sum()) == (CONFIG.horizons, CONFIG.horizons)
    assert forecasts.loc[held | made, "actual"].isna().all()
    assert forecasts["actual"].isna().sum() == study.forecasts["actual"].isna().sum() + 2 * CONFIG.horizons


def test_progress_grows_to_its_total(table):
    seen = []

    study_prices(table, COLUMNS, CONFIG, SPLIT, on_progress=lambda done, total: seen.append((done, total)))

    assert seen[-1] == (6, 6)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_input_that_is_no_number_after_the_warm_up_is_refused(table, value):
    broken = table.copy()
    broken.loc[broken.index[100], "b"] = value

    with pytest.raises(NonFiniteInput, match=rf"^b is {value} on 2020-05-20: "):
        study_prices(broken, COLUMNS, CONFIG, SPLIT)


def test_constant_prices_are_refused(table):
    with pytest.raises(TrainingError, match="volatility is 0 on 2020-01-10: constant prices"):
        study_prices(table.assign(volatility=0.0), COLUMNS, CONFIG, SPLIT)


def test_too_short_a_history_is_refused_with_the_numbers(table):
    with pytest.raises(TooShortHistory, match=r"^100 sessions are too few: .* 2 walk-forward folds need about 176$"):
        study_prices(table.iloc[:100], COLUMNS, CONFIG, SPLIT)


def test_training_rows_without_a_target_are_refused(table):
    every_fourth = pd.Series(np.arange(SESSIONS) % 4 > 0, index=table.index)  # each origin looks at one of those

    with pytest.raises(TooShortHistory, match="^no row has a known target at every horizon"):
        study_prices(table, COLUMNS, CONFIG, SPLIT, usable=every_fourth)


def test_a_gap_shorter_than_the_horizons_is_refused(table):
    with pytest.raises(TrainingError, match="a gap of 3 sessions leaks"):
        study_prices(table, COLUMNS, CONFIG, WalkForward(2, 0.4, 48, 3, 40))


def test_metadata_are_replaced_and_nothing_else_changes(study, table):
    import onnxruntime

    stamped = with_metadata(with_metadata(study.onnx, {"version": 1}), {"version": 2})

    session = onnxruntime.InferenceSession(stamped, providers=["CPUExecutionProvider"])
    assert json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY]) == {"version": 2}
    with pytest.raises(ValueError, match="not JSON compliant"):
        with_metadata(study.onnx, {"p_value": float("nan")})
