"""Claims over many e-values."""

import numpy as np
import pytest

from zenith_core.evidence.discoveries import LEVEL, discovered, required


def test_a_single_ticker_needs_twenty_to_one():
    assert discovered(np.log([19.99])).tolist() == [False]
    assert discovered(np.log([20.01])).tolist() == [True]
    assert required(np.log([1.0])) == pytest.approx(20)


def test_the_first_claim_among_120_tickers_asks_2400_to_1():
    assert required(np.zeros(120)) == pytest.approx(2400)


def test_each_claim_makes_the_next_one_cheaper():
    values = np.log([2500.0, 1300.0, 700.0, *[1.0] * 117])
    assert discovered(values).tolist() == [True, True, False, *[False] * 117]
    assert required(values) == pytest.approx(800)


def test_two_that_suffice_only_together_are_both_claimed():
    values = np.log([1250.0, 1250.0, *[1.0] * 118])
    assert discovered(values).sum() == 2


def test_when_all_are_claimed_another_one_needs_what_the_last_did():
    assert required(np.log([1e6, 1e6])) == pytest.approx(1 / LEVEL)


def test_an_empty_universe_claims_nothing():
    assert discovered([]).tolist() == []


def test_an_e_value_of_nought_is_never_claimed():
    assert discovered([-np.inf, np.log(1e9)]).tolist() == [False, True]


def test_false_claims_are_a_twentieth_however_the_e_values_depend_on_each_other():
    """All of 50 e-values are one and the same 20 or 0, with mean 1: the worst dependence."""
    random = np.random.default_rng(5)
    with np.errstate(divide="ignore"):
        looks = np.log(np.where(random.random(4000) < LEVEL, 1 / LEVEL, 0.0))
    share = np.mean([discovered(np.full(50, look)).any() for look in looks])
    assert share == pytest.approx(LEVEL, abs=0.012)
