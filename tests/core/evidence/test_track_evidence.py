"""Evidence from the ledger, and from the walk-forward of the first version."""

import numpy as np
import pandas as pd
import pytest

from tests.core.evaluation.test_track_record import DAYS, ledger
from zenith_core.evidence.track_evidence import ledger_evidence, walk_forward_start

RIGHT = {"forecast": 102.0, "actual": 104.0}  # of a close of 100: half-way, so less loss than "the price stays"
WRONG = {"forecast": 98.0, "actual": 104.0}


def e_values(table, start=None):
    return {horizon: each["log_e_value"] for horizon, each in ledger_evidence(table, start or {}).items()}


def test_forecasts_that_are_right_are_evidence_and_wrong_ones_are_against():
    assert e_values(ledger(30, **RIGHT))["1"] > 3
    assert e_values(ledger(30, **WRONG))["1"] < -3


def test_it_counts_since_the_first_origin_with_an_outcome():
    rows = ledger(3).assign(actual=[np.nan, 104.0, 104.0])
    assert ledger_evidence(rows, {})["1"]["since"] == str(DAYS[1].date())


def test_horizons_without_outcomes_have_no_evidence():
    evidence = ledger_evidence(ledger(3, horizon=1).assign(actual=np.nan), {})
    assert evidence["5"] == {"log_e_value": 0.0, "since": None}
    assert evidence["1"]["since"] is None


def test_forecasts_made_after_their_day_are_no_evidence():
    assert e_values(ledger(30, made_after=9, **RIGHT))["1"] == 0


def test_of_two_forecasts_of_an_origin_the_first_counts():
    both = pd.concat([ledger(30, **WRONG), ledger(30, made_after=0.01, model_version=2, **RIGHT)])
    assert e_values(both) == e_values(ledger(30, **WRONG))


def test_looks_in_between_change_nothing():
    rows = ledger(40, **RIGHT)
    early = e_values(rows.iloc[:20])
    assert e_values(rows.iloc[:20]) == early
    assert e_values(rows)["1"] > early["1"]


def test_overlapping_forecasts_are_no_more_evidence_than_their_series():
    """Of 30 outcomes five sessions ahead, each of five series bets on six."""
    single, overlapping = e_values(ledger(6, **RIGHT))["1"], e_values(ledger(30, horizon=5, **RIGHT))["5"]
    assert overlapping == pytest.approx(single, abs=1e-6)


def test_a_walk_forward_is_the_wealth_to_begin_with():
    start = walk_forward_start(ledger(20, **RIGHT))
    evidence = ledger_evidence(ledger(10, **RIGHT), start)
    assert set(start) == {"1"}
    assert evidence["1"]["since"] == start["1"]["since"] == str(DAYS[0].date())
    assert evidence["1"]["log_e_value"] == pytest.approx(e_values(ledger(30, **RIGHT))["1"], abs=1e-4)


def test_a_walk_forward_of_sessions_that_the_ledger_has_forecast_is_left_out():
    rows = ledger(20, **RIGHT)
    assert walk_forward_start(rows, before=DAYS[10]) == walk_forward_start(rows.iloc[:10])
    assert walk_forward_start(rows, before=DAYS[0]) == {}
