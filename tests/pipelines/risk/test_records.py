"""The record in a snapshot: made of the packaged scales, and again only after twenty sessions."""

import pytest

from tests.core.scale_pools import swinging_prices
from zenith_core.evaluation.risk_record import RENEWAL
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.risk.records import record_facts, renewed_record


@pytest.fixture(scope="module")
def prices():
    return swinging_prices(99, 420)


@pytest.mark.slow
def test_the_packaged_scales_make_the_first_record(prices):
    record = renewed_record({}, prices)

    assert record["until"] == f"{prices.index[-1]:%Y-%m-%d}"
    assert list(record["horizons"]) == ["1", "5", "20"]
    assert record["horizons"]["1"]["tails"][2]["rows"] == 420 - 310 - 1


@pytest.mark.slow
def test_a_record_is_kept_until_twenty_sessions_have_passed(prices):
    days = [f"{prices.index[-1 - sessions]:%Y-%m-%d}" for sessions in (0, RENEWAL - 1, RENEWAL)]

    same_day, nearly, renewed = (renewed_record({"until": day, "horizons": {}}, prices) for day in days)

    assert same_day["horizons"] == nearly["horizons"] == {}
    assert renewed["until"] == days[0]


@pytest.mark.slow
def test_a_record_of_other_prices_is_made_again(prices):
    record = renewed_record({"until": "2030-01-02", "horizons": {}}, prices)

    assert record["until"] == f"{prices.index[-1]:%Y-%m-%d}"


@pytest.mark.slow
@pytest.mark.parametrize("part", [{}, {"band": {}}, {"peers": {}}])
def test_a_record_of_an_earlier_release_is_made_again(part, prices):
    earlier = {"until": f"{prices.index[-1]:%Y-%m-%d}", "horizons": {"1": {"tails": [], **part}}}

    assert {"band", "peers"} <= renewed_record(earlier, prices)["horizons"]["1"].keys()


def test_a_history_too_short_for_a_record_has_none(prices):
    assert renewed_record({}, prices.iloc[:300]) == {}


def test_the_record_of_the_stored_snapshot_goes_on(prices, tmp_path):
    store = DatasetStore(str(tmp_path))
    assert record_facts(store, "AAPL", prices.iloc[:300]) == {"risk_record": {}}
    record = {"until": f"{prices.index[-2]:%Y-%m-%d}", "horizons": {"1": {"band": {}, "peers": {}}}}

    store.write("serving_snapshot", "AAPL", Dataset(facts={"risk_record": record}))

    assert record_facts(store, "AAPL", prices) == {"risk_record": record}
