"""The bands of a price answer: those of the data's distribution around the close, with their own record."""

import math
from datetime import UTC, date, datetime

import pytest

from tests.core.risk.distributions import NORMAL, normal_distribution
from zenith_serving.prediction.cache import LocalCache
from zenith_serving.prediction.last_known_good import LastKnownGood
from zenith_serving.prediction.model_store import ModelStore
from zenith_serving.prediction.predictor import Predictor
from zenith_serving.published.snapshot_store import SnapshotStore

RECORD = {"horizons": {"1": {"band": {"coverage": 0.91}}, "20": {"band": {"coverage": 0.88}}}}
OWN = {"horizon": 5, "beats_naive": False, "p_value": 0.4, "mase": 1.0, "skill": 0.0, "coverage": 0.5}


@pytest.fixture
def predictor(tmp_path, registry, write_snapshot, models):
    registry.add("lstm-AAPL", models.lstm("AAPL", evidence=OWN, data_end="2013-01-31"))
    write_snapshot(tmp_path, "AAPL", distribution=normal_distribution(), risk_record=RECORD)
    snapshots = SnapshotStore(tmp_path / "data" / "serving_snapshot")
    store = ModelStore(registry, LastKnownGood(tmp_path / "copies"))
    return Predictor(snapshots, store, LocalCache(60), lambda: datetime(2013, 3, 4, 21, tzinfo=UTC))


def ends(answer):
    return [(point.lower, point.upper) for point in answer.predictions]


def bands(close=100.0, daily=0.01, sessions=2):
    quantiles = (NORMAL.inv_cdf(0.05), NORMAL.inv_cdf(0.95))
    days = range(1, sessions + 1)
    return [
        pytest.approx(tuple(close * math.exp(daily * math.sqrt(day) * each) for each in quantiles), abs=1e-3)
        for day in days
    ]


def test_the_price_is_the_model_s_and_the_band_that_of_the_distribution(predictor):
    answer = predictor.predict_price("AAPL", 2, quantiles=[0.05, 0.95])

    assert [point.price for point in answer.predictions] == pytest.approx([101.0, 102.01], abs=1e-4)
    assert ends(answer) == bands()
    assert ends(answer) == list(zip(*(each.prices for each in answer.quantiles), strict=True))
    assert (answer.model_version, answer.scale_version) == ("1", "7")


@pytest.mark.parametrize(("horizon", "coverage"), [(1, 0.91), (5, 0.91), (30, 0.88)])
def test_its_coverage_is_that_of_the_record_and_not_of_the_model(predictor, horizon, coverage):
    answer = predictor.predict_price("AAPL", horizon)

    assert (answer.coverage, answer.skill.p_value) == (coverage, 0.4)


@pytest.mark.parametrize("record", [{}, {"horizons": {"1": {"tails": []}}}, {"horizons": {"1": {"band": {}}}}])
def test_bands_without_a_record_have_no_coverage(predictor, tmp_path, write_snapshot, record):
    write_snapshot(tmp_path, "AAPL", distribution=normal_distribution(), risk_record=record)

    assert predictor.predict_price("AAPL").coverage is None


def test_data_of_an_earlier_release_go_on_with_the_bands_of_the_model(predictor, tmp_path, write_snapshot):
    write_snapshot(tmp_path, "AAPL")

    answer = predictor.predict_price("AAPL", 1)

    assert ends(answer) == [pytest.approx((101 * 0.97, 101 * 1.03), abs=1e-4)]
    assert (answer.coverage, answer.scale_version) == (0.5, None)


@pytest.mark.parametrize("change", ["scale_version", "data_version"])
def test_another_scale_or_other_data_behind_the_bands_make_a_new_answer(predictor, tmp_path, write_snapshot, change):
    predictor.predict_price("AAPL", 2)
    assert predictor.predict_price("AAPL", 2).cached

    write_snapshot(tmp_path, "AAPL", distribution=normal_distribution(daily=0.02, **{change: "6"}))

    answer = predictor.predict_price("AAPL", 2)
    assert (ends(answer), answer.cached) == (bands(daily=0.02), False)


@pytest.mark.parametrize(
    ("day", "close", "expected", "scale"),
    [
        (date(2013, 3, 1), 100.0, bands(), "7"),
        (date(2013, 2, 28), 50.0, [pytest.approx((p * 0.97, p * 1.03), abs=1e-4) for p in (50.5, 51.005)], None),
    ],
)
def test_of_two_feature_specs_each_has_the_bands_of_its_day(
    predictor, tmp_path, write_snapshot, models, day, close, expected, scale
):
    inputs = models.snapshot("AAPL", as_of=day, close=close)
    changes = {"feature_spec": "new", "other_specs": {inputs.feature_spec: inputs}}
    write_snapshot(tmp_path, "AAPL", distribution=normal_distribution(), risk_record=RECORD, **changes)

    answer = predictor.predict_price("AAPL", 2)

    assert (ends(answer), answer.scale_version) == (expected, scale)
    assert answer.coverage == (0.91 if scale else 0.5)


def test_a_last_good_forecast_goes_on_with_the_bands_of_its_day(predictor, tmp_path, write_snapshot):
    before = predictor.predict_price("AAPL", 2, quantiles=[0.05])
    write_snapshot(
        tmp_path, "AAPL", as_of=date(2012, 12, 31), close=1.0, distribution=normal_distribution(scale_version="8")
    )

    answer = predictor.predict_price("AAPL", 2, quantiles=[0.05])

    assert (ends(answer), answer.quantiles, answer.scale_version) == (ends(before), before.quantiles, "7")
