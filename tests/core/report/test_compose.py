"""The report's document: verdicts and evidence from the facts of the datasets, and nothing that they lack."""

from dataclasses import replace

import pytest

from tests.core.risk.distributions import normal_distribution
from tests.pipelines.reports.sample_report import make_sample, sample_facts
from tests.serving.conftest import make_snapshot
from zenith_core.report.compose import compose_chart, compose_report
from zenith_core.report.risk import LEVELS
from zenith_core.risk.value_at_risk import value_at_risk

SNAPSHOT = make_snapshot("PETR4.SA")


@pytest.fixture(scope="module")
def facts():
    return sample_facts(make_sample())


def report_of(facts, snapshot=SNAPSHOT):
    return compose_report(snapshot, lambda name: facts.get(name, {}))


def test_without_facts_there_is_a_report_that_claims_nothing():
    report = report_of({})

    assert (report.models, report.backtests, report.risk, report.leaderboards) == ([], {}, [], {})
    assert [(one.code, one.good) for one in report.verdicts] == [("untested", False)]


def test_a_board_is_in_the_report_as_the_pipelines_made_it(facts):
    boards = {"price": {"answering": "lstm", "models": []}}

    assert report_of({**facts, "leaderboard": {"tasks": boards}}).leaderboards == boards


def test_the_risk_is_read_off_the_distribution_of_the_snapshot():
    distribution = normal_distribution()
    risk = report_of({}, replace(SNAPSHOT, distribution=distribution)).risk

    assert [one.horizon for one in risk] == [1, 5, 30]
    assert risk[1].tails[0].value_at_risk == pytest.approx(value_at_risk(distribution, 5, 0.05), abs=1e-6)
    assert [one.pct for one in risk[0].touch] == list(LEVELS)
    assert risk[2].touch[0].price == pytest.approx(1.1 * SNAPSHOT.close)


@pytest.mark.slow
def test_bands_of_a_scale_are_judged_by_their_own_record(facts):
    snapshot = replace(SNAPSHOT, distribution=normal_distribution(), risk_record=make_sample().risk_record)
    report = report_of(facts, snapshot)

    assert report.band["coverage"] == 0.897
    assert next(one for one in report.verdicts if one.subject == "band").code == "kept"
    unscored = report_of(facts, replace(snapshot, risk_record={}))
    assert next(one for one in unscored.verdicts if one.subject == "band").code == "unscored"


def test_the_last_trades_are_newest_first_and_an_open_one_has_no_exit(facts):
    trades = report_of(facts).backtests["ensemble"].trades

    assert len(trades) == len(facts["ensemble_backtest"]["trades"]) > 1
    assert trades[0].entry_date > trades[1].entry_date
    assert (trades[0].exit_date, trades[0].exit_price) == (None, None)
    assert trades[1].exit_date > trades[1].entry_date


def test_a_chart_has_the_columns_of_its_datasets_and_no_indicators_of_other_data(facts):
    chart = compose_chart("PETR4.SA", lambda name: facts.get(name, {}))

    assert chart["candles"]["close"] == facts["serving_snapshot"]["candles"]["close"]
    assert set(chart["backtests"]["lstm"]) == {"equity", "stats", "config", "model_version"}
    features = {**facts["indicator_features"], "chart": {"rsi_14": [50.0]}}
    for version, shown in (("abc123", {"rsi_14": [50.0]}), ("of a split ago", None)):
        own = {**facts, "indicator_features": {**features, "data_version": version}}
        assert compose_chart("PETR4.SA", lambda name, own=own: own.get(name, {}))["indicators"] == shown
