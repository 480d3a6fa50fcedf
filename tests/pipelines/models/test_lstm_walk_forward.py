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
CONFIG = LSTMConfig(window=10, units=8, dense=6, horizons=4, epochs=2, batch=4)
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
    test_origins = int(origins * 0.4) // 2 * 2
    assert len(forecasts) == test_origins * CONFIG.horizons
    assert forecasts["origin"].unique().tolist() == table.index[-test_origins:].tolist()
    assert forecasts["horizon"].tolist() == [1, 2, 3, 4] * test_origins


def test_actuals_are_the_closes_of_the_target_sessions_and_unknown_after_the_last(study, table):
    last = study.forecasts[study.forecasts["origin"] == table.index[-2]]
    mature = study.forecasts.dropna(subset="actual")

    assert last["target_date"].tolist() == [table.index[-1], pd.NaT, pd.NaT, pd.NaT]
    assert last["actual"].notna().tolist() == [True, False, False, False]
    np.testing.assert_array_equal(mature["actual"], table["close"].loc[mature["target_date"]])
    np.testing.assert_array_equal(study.forecasts["close"], table["close"].loc[study.forecasts["origin"]])
    ahead = table.index.get_indexer(mature["target_date"]) - table.index.get_indexer(mature["origin"])
    np.testing.assert_array_equal(ahead, mature["horizon"])


def test_intervals_contain_their_forecasts(study):
    assert (study.forecasts["lower"] <= study.forecasts["forecast"]).all()
    assert (study.forecasts["forecast"] <= study.forecasts["upper"]).all()
    assert (study.forecasts["lower"] < study.forecasts["upper"]).all()


def test_the_quantiles_do_not_cross_and_the_interval_is_the_outermost(study):
    quantiles = study.forecasts[["q05", "q10", "q25", "q50", "q75", "q90", "q95"]]

    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert quantiles["q05"].equals(study.forecasts["lower"].rename("q05"))
    assert quantiles["q95"].equals(study.forecasts["upper"].rename("q95"))


def test_the_same_seed_and_data_give_the_same_study_with_future_target_dates(study, table):
    future = [day.date() for day in pd.bdate_range(table.index[-1], periods=4)[1:]]

    again = study_prices(table, COLUMNS, CONFIG, SPLIT, future=future)

    assert again.onnx == study.onnx
    assert again.facts == study.facts
    columns = ["origin", "horizon", "forecast", "lower", "upper", "actual"]
    pd.testing.assert_frame_equal(again.forecasts[columns], study.forecasts[columns])
    last = again.forecasts.iloc[-4:]
    assert [str(day.date()) for day in last["target_date"][:3]] == [str(day) for day in future]
    assert last["target_date"].isna().tolist() == [False, False, False, True]


def test_later_sessions_change_no_earlier_forecast_and_no_earlier_interval(study, table):
    now = pd.Timestamp(study.facts["folds"][1]["test"][0])
    other_future, other = table.copy(), feature_table(seed=9)
    later = table.index > now
    other_future.loc[later, list(COLUMNS)] = other.loc[later, list(COLUMNS)] * 3
    other_future.loc[later, "close"] *= np.linspace(1, 3, later.sum())

    forecasts = study_prices(other_future, COLUMNS, CONFIG, SPLIT).forecasts

    columns = ["origin", "horizon", "target_date", "close", "forecast", "lower", "q10", "q50", "upper"]
    before = study.forecasts["origin"] <= now
    assert before.sum() > len(before) / 2
    pd.testing.assert_frame_equal(forecasts.loc[before, columns], study.forecasts.loc[before, columns])
    assert not np.allclose(forecasts.loc[~before, "forecast"], study.forecasts.loc[~before, "forecast"])


def test_the_facts_describe_the_study(study, table):
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


def test_the_final_model_forecasts_from_the_newest_window(study, table):
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


def test_no_target_uses_a_suspect_close(study, table):
    usable = pd.Series(True, index=table.index)
    usable.iloc[60] = False  # targets of origins 56 to 59 end at it, those of 60 start from it

    facts = study_prices(table, COLUMNS, CONFIG, SPLIT, usable=usable).facts

    rows = [fold["train_rows"] for fold in [*facts["folds"], facts["final"]]]
    assert rows == [fold["train_rows"] - 5 for fold in [*study.facts["folds"], study.facts["final"]]]


def test_no_forecast_to_or_from_a_suspect_close_is_scored(study, table):
    usable = pd.Series(True, index=table.index)
    usable.iloc[250] = False

    forecasts = study_prices(table, COLUMNS, CONFIG, SPLIT, usable=usable).forecasts

    suspect = table.index[250]
    to_suspect, from_suspect = forecasts["target_date"] == suspect, forecasts["origin"] == suspect
    assert (to_suspect.sum(), from_suspect.sum()) == (CONFIG.horizons, CONFIG.horizons)
    assert forecasts.loc[to_suspect | from_suspect, "actual"].isna().all()
    assert forecasts["actual"].isna().sum() == study.forecasts["actual"].isna().sum() + 2 * CONFIG.horizons


def test_progress_grows_to_its_total(table):
    calls = []

    study_prices(table, COLUMNS, CONFIG, SPLIT, on_progress=lambda count, total: calls.append((count, total)))

    assert calls[-1] == (6, 6)
    assert [count for count, _ in calls] == sorted(count for count, _ in calls)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_non_finite_input_after_the_warm_up_is_refused(table, value):
    bad_table = table.copy()
    bad_table.loc[bad_table.index[100], "b"] = value

    with pytest.raises(NonFiniteInput, match=rf"^b is {value} on 2020-05-20: "):
        study_prices(bad_table, COLUMNS, CONFIG, SPLIT)


def test_constant_prices_are_refused(table):
    with pytest.raises(TrainingError, match="volatility is 0 on 2020-01-10: constant prices"):
        study_prices(table.assign(volatility=0.0), COLUMNS, CONFIG, SPLIT)


def test_the_error_for_a_short_history_names_the_sessions_needed(table):
    with pytest.raises(TooShortHistory, match=r"^100 sessions are too few: .* 2 walk-forward folds need about 176$"):
        study_prices(table.iloc[:100], COLUMNS, CONFIG, SPLIT)


def test_a_study_without_complete_targets_is_refused(table):
    every_fourth = pd.Series(
        np.arange(SESSIONS) % 4 > 0, index=table.index
    )  # every origin has a target at one of those

    with pytest.raises(TooShortHistory, match="^no row has a known target at every horizon"):
        study_prices(table, COLUMNS, CONFIG, SPLIT, usable=every_fourth)


def test_a_gap_shorter_than_the_horizons_is_refused(table):
    with pytest.raises(TrainingError, match="a gap of 3 sessions leaks"):
        study_prices(table, COLUMNS, CONFIG, WalkForward(2, 0.4, 48, 3, 40))


def test_metadata_are_replaced_and_must_be_json(study, table):
    import onnxruntime

    onnx = with_metadata(with_metadata(study.onnx, {"version": 1}), {"version": 2})

    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    assert json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY]) == {"version": 2}
    with pytest.raises(ValueError, match="not JSON compliant"):
        with_metadata(study.onnx, {"p_value": float("nan")})
