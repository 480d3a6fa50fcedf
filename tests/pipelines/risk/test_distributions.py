"""A ticker's distribution in its snapshot, without training."""

from types import SimpleNamespace

import pytest

from tests.core.scale_pools import swinging_prices
from zenith_core.risk.forecast_distribution import ForecastDistribution
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.risk import distributions
from zenith_pipelines.risk.distributions import distribution_facts, histories, last_session, renew_distributions
from zenith_pipelines.risk.scale_prior import priors

PRICES = swinging_prices(3, 400)  # until July 2016
WITHOUT_MODEL = SimpleNamespace(exists=False)


def test_a_home_without_a_scale_has_the_distribution_of_the_prior_before_its_last_session():
    facts = distribution_facts(WITHOUT_MODEL, PRICES, "d1")
    distribution = ForecastDistribution.from_dict(facts["distribution"])

    assert (distribution.scale_version, distribution.data_version) == ("prior-2015", "d1")
    assert facts["no_distribution"] == ""


def test_the_reason_is_stated_where_there_is_none():
    halted = PRICES.copy()
    halted.iloc[300:, :4] = 30.0

    for prices, reason in ((halted, "stands still"), (PRICES.iloc[:200], "too few sessions for a distribution: 200,")):
        facts = distribution_facts(WITHOUT_MODEL, prices, "d1")
        assert facts["distribution"] is None
        assert reason in facts["no_distribution"]


@pytest.fixture
def store(tmp_path):
    store = DatasetStore(str(tmp_path))
    for ticker, version in (("AAPL", "d1"), ("MSFT", "d0")):
        facts = {"data_version": "d1", "last": str(PRICES.index[-1].date())}
        store.write("cleaned_prices", ticker, Dataset({"prices": PRICES}, facts))
        store.write("serving_snapshot", ticker, Dataset(facts={"data_version": version, "close": 1.0}))
    return store


def test_another_scale_renews_the_snapshots_of_the_same_prices(store, monkeypatch):
    monkeypatch.setattr(distributions, "scale_for", lambda registry, day: priors()[-1])

    assert renew_distributions(store, WITHOUT_MODEL, ["AAPL", "MSFT", "NONE"]) == ["AAPL"]
    facts = store.facts("serving_snapshot", "AAPL")
    assert facts["distribution"]["scale_version"] == priors()[-1].version
    assert facts["close"] == 1.0
    assert "distribution" not in store.facts("serving_snapshot", "MSFT")


def test_a_snapshot_that_a_refresh_replaces_meanwhile_is_left_alone(store, monkeypatch):
    def refresh(registry, day):
        store.write("serving_snapshot", "AAPL", Dataset(facts={"data_version": "d2"}))
        return priors()[-1]

    monkeypatch.setattr(distributions, "scale_for", refresh)

    assert renew_distributions(store, WITHOUT_MODEL, ["AAPL"]) == []
    assert store.facts("serving_snapshot", "AAPL") == {"data_version": "d2"}


def test_tickers_without_prices_are_no_part_of_the_pool(store):
    assert [len(moves) for moves in histories(store, ["AAPL", "NONE", "MSFT"])] == [400, 400]
    assert last_session(store, ["AAPL", "NONE"]) == str(PRICES.index[-1].date())
    assert last_session(store, ["NONE"]) is None
