"""Each reason to abstain, both ways; and the decision for the newest row."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from zenith_core.errors import NotAvailable
from zenith_core.forecasting.abstention import (
    REASONS,
    Limits,
    SignalDecision,
    decide_latest_signal,
    decide_signals,
    withhold,
)
from zenith_core.snapshot import ServingSnapshot

LIMITS = Limits(lower=np.array([0.0, -1.0]), upper=np.array([1.0, 1.0]), base_rates=np.array([0.3, 0.4, 0.3]))
INSIDE = np.array([[0.5, 0.0]])
BUY = np.array([[0.2, 0.3, 0.5]])


def one(probabilities=BUY, rows=INSIDE, limits=LIMITS, *, proven=True, stale=False):
    signal, reason = decide_signals(probabilities, rows, limits, proven=proven, stale=stale)
    return signal[0], reason[0]


def test_a_confident_proven_model_gives_a_signal():
    assert one() == ("buy", "model")
    assert one(np.array([[0.5, 0.3, 0.2]])) == ("sell", "model")


@pytest.mark.parametrize(
    ("buy", "expected"), [(0.37, ("buy", "model")), (0.36, ("buy", "model")), (0.35, ("hold", "low_confidence"))]
)
def test_confidence_is_low_below_one_fifth_above_the_base_rate(buy, expected):
    assert one(np.array([[0.2, 0.8 - buy, buy]])) == expected


def test_lift_is_relative_to_the_base_rate():
    assert one(limits=replace(LIMITS, base_rates=np.array([0.2, 0.3, 0.5]))) == ("hold", "low_confidence")


def test_the_likelier_side_is_taken_or_none():
    usual_sell = replace(LIMITS, base_rates=np.array([0.5, 0.4, 0.1]))
    assert one(np.array([[0.45, 0.3, 0.25]]), limits=usual_sell) == ("hold", "low_confidence")


@pytest.mark.parametrize(("value", "expected"), [(1.19, "model"), (1.21, "outside_training_range")])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_row_a_tenth_beyond_the_training_range_is_outside(value, expected, sign):
    mirror = Limits(lower=np.array([-1.0, -1.0]), upper=np.array([1.0, 1.0]), base_rates=LIMITS.base_rates)
    assert one(rows=np.array([[0.0, sign * value]]), limits=mirror)[1] == expected


def test_a_model_that_failed_its_baseline_and_old_data_give_no_signal():
    assert one(proven=False) == ("hold", "fails_baseline")
    assert one(stale=True) == ("hold", "stale_data")


def test_the_first_reason_counts():
    nothing, far = np.array([[0.3, 0.4, 0.3]]), np.array([[9.0, 9.0]])
    assert one(nothing, far, proven=False, stale=True)[1] == "stale_data"
    assert one(nothing, far, proven=False)[1] == "outside_training_range"
    assert one(nothing, proven=False)[1] == "fails_baseline"
    assert one(nothing)[1] == "low_confidence"
    assert list(REASONS) == [
        "model",
        "stale_data",
        "outside_training_range",
        "fails_baseline",
        "not_discovered",
        "low_confidence",
        "no_model",
    ]


@pytest.mark.parametrize(
    ("reason", "served"),
    [
        *(("model", "not_discovered"), ("low_confidence", "not_discovered")),
        *((reason, reason) for reason in ("stale_data", "outside_training_range", "fails_baseline", "no_model")),
    ],
)
def test_what_is_not_discovered_is_held_back(reason, served):
    signal = "buy" if reason == "model" else "hold"
    assert withhold(SignalDecision(signal, reason), is_claim=False) == SignalDecision("hold", served)
    assert withhold(SignalDecision(signal, reason), is_claim=True) == SignalDecision(signal, reason)


def test_many_rows_are_decided_as_one_by_one():
    rng = np.random.default_rng(0)
    probabilities, rows = rng.dirichlet([3, 3, 3], 200), rng.uniform(-1.5, 1.5, (200, 2))
    signals, reasons = decide_signals(probabilities, rows, LIMITS, proven=True)
    each = [one(p[np.newaxis], r[np.newaxis]) for p, r in zip(probabilities, rows, strict=True)]
    assert list(zip(signals, reasons, strict=True)) == each
    assert set(signals) == {"sell", "hold", "buy"}


def test_limits_survive_json():
    again = Limits.from_json(json.loads(json.dumps(LIMITS.to_json())))
    for name, values in vars(LIMITS).items():
        np.testing.assert_array_equal(getattr(again, name), values)


@pytest.fixture
def snapshot():
    window = np.array([[9.0, 9.0], *INSIDE], dtype=np.float32)  # only the newest row is decided
    day = date(2024, 1, 2)
    return ServingSnapshot(
        "AAPL", "v", "s", day, close=1.0, currency="USD", volatility=0.1, window=window, next_sessions=()
    )


def facts_of(*, proven):
    return {"study": {"limits": LIMITS.to_json(), "final": {"calibration": {"proven": proven}}}}


FACTS = facts_of(proven=True)
LATEST = {"sell": 0.2, "hold": 0.3, "buy": 0.5}


def test_the_newest_row_is_decided_by_the_facts_of_the_artifact(snapshot):
    assert decide_latest_signal(LATEST, snapshot, FACTS, stale=False).signal == "buy"
    assert decide_latest_signal(LATEST, snapshot, FACTS, stale=True).reason == "stale_data"
    decision = decide_latest_signal(LATEST, snapshot, facts_of(proven=False), stale=False)
    assert (decision.signal, decision.text) == ("hold", REASONS["fails_baseline"])


@pytest.mark.parametrize("missing", ["limits", "final"])
def test_an_artifact_without_the_facts_gives_no_decision(snapshot, missing):
    study = {key: value for key, value in FACTS["study"].items() if key != missing}
    with pytest.raises(NotAvailable, match=f"^the signal model does not say its {missing}: train it again$"):
        decide_latest_signal(LATEST, snapshot, {"study": study}, stale=False)
