"""A small version of benchmarks/truth_and_noise.py: the evaluation finds a planted edge, and claims none in noise."""

import pytest

from tests.runs_here import train_little
from zenith_pipelines.ingestion.sources.simulated import SimulatedSource
from zenith_pipelines.models import prepare_backend

EPOCHS = 1

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    prepare_backend("jax", tmp_path_factory.mktemp("keras"))  # before anything imports Keras
    import truth_and_noise

    with pytest.MonkeyPatch.context() as patch:
        train_little(patch)
        yield truth_and_noise


def test_a_planted_edge_is_found_and_traded(benchmark):
    row = benchmark.study("edge", 3, EPOCHS)

    assert row["lstm_beats_naive"] or row["ensemble_beats_naive"]
    assert row["oracle_sharpe"] == pytest.approx(2, abs=0.6)
    assert row["ensemble_exposure"] > 0.1


@pytest.mark.parametrize("market", ["noise", pytest.param("shuffled", marks=pytest.mark.long)])
def test_where_nothing_is_to_be_found_nothing_is_claimed(benchmark, market):
    row = benchmark.study(market, 3, EPOCHS)

    assert not row["lstm_beats_naive"]
    assert not row["ensemble_beats_naive"]
    assert 0.85 < row["coverage_1"] < 0.95


def test_shuffling_keeps_the_numbers_and_cuts_the_tie(benchmark):
    prices = SimulatedSource().fetch("SIM-EDGE-3").prices
    bars = benchmark._bars("shuffled", "SIM-EDGE-3", 3)
    assert bars["volume"].equals(prices["volume"])
    moves, apart = (table["close"].pct_change().iloc[1:] for table in (prices, bars))
    assert sorted(moves.round(9)) == sorted(apart.round(9))
    assert abs(apart.corr(moves)) < 0.1
