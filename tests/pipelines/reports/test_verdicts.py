"""The verdicts as the Dagster UI shows them: the sentence of the page in English, and its figures."""

from dataclasses import replace

import pytest

from tests.pipelines.reports.sample_report import make_sample, sample_facts
from tests.serving.conftest import make_snapshot
from zenith_core.report.compose import compose_report
from zenith_pipelines.reports.verdicts import worded_verdicts

pytestmark = pytest.mark.slow

SNAPSHOT = make_snapshot("PETR4.SA")


def verdicts_of(sample):
    facts = sample_facts(sample)
    return {one.subject: one for one in worded_verdicts(compose_report(SNAPSHOT, lambda name: facts.get(name, {})))}


@pytest.fixture(scope="module")
def verdicts():
    return verdicts_of(make_sample())


def test_each_verdict_has_its_sentence_and_its_figures(verdicts):
    sample = make_sample()

    assert list(verdicts) == [
        *("Price forecast", "90% band", "Signal", "LSTM backtest", "Ensemble backtest", "Look-ahead"),
    ]
    assert not verdicts["Price forecast"].good
    assert verdicts["Price forecast"].sentence == "No better than assuming an unchanged price"
    assert verdicts["Price forecast"].figures.startswith("5 sessions ahead: skill +0.0%, too few to test")
    assert f"Brier {sample.signal_metrics['brier']:.3f} against " in verdicts["Signal"].figures
    held = sample.backtests["lstm"].stats["buy_and_hold"]
    assert f"against {held['total_return']:+.1%}; Sharpe " in verdicts["LSTM backtest"].figures


def test_a_model_with_skill_is_favoured():
    verdict = verdicts_of(make_sample(foresight=0.5))["Price forecast"]

    assert (verdict.sentence, verdict.good) == ("Better than assuming an unchanged price", True)


def test_figures_that_are_missing_are_dashes():
    sample = make_sample()
    stats = {name: {**own, "sharpe": None} for name, own in sample.backtests["ensemble"].stats.items()}
    idle = {"ensemble": replace(sample.backtests["ensemble"], stats=stats)}

    verdict = verdicts_of(make_sample(backtests=idle))["Ensemble backtest"]

    assert verdict.sentence == "Nothing to compare: no session after the first trade"
    assert verdict.figures.endswith("Sharpe – against –")
