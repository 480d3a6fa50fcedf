"""Each gate, from its figures alone."""

import pytest

from zenith_pipelines.production.promotion_gates import (
    answers_gate,
    calibration_gate,
    coverage_gate,
    data_end_gate,
    decide,
    evidence_gate,
    leakage_gate,
    loss_gate,
)

SANITY = [answers_gate(None), leakage_gate("passed: 1 history"), evidence_gate(900)]


def comparison(change=0.0, p_worse=0.5, origins=400):
    return {"origins": origins, "candidate": 1 + change, "champion": 1.0, "p_worse": p_worse}


def coverage(candidate, champion=0.9, independent=100.0):
    return [{"horizon": 5, "rows": 500, "independent": independent, "candidate": candidate, "champion": champion}]


def test_a_first_model_needs_only_the_sanity_gates_and_its_skill_is_stated():
    decision = decide(SANITY, None, beats_naive=False)

    assert decision.promote
    assert decision.reason == "first model, no skill shown"
    assert decide(SANITY, None, beats_naive=True).standing == "first model, better than the naive forecast"


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        (answers_gate("its forecast is not finite"), "answers: its forecast is not finite"),
        (leakage_gate("failed: rsi changed"), "leakage: failed: rsi changed"),
        (leakage_gate(None), "leakage: the version has no leakage certificate"),
        (evidence_gate(0), "evidence: no out-of-sample forecasts"),
    ],
)
def test_a_first_model_is_refused_for_each_failed_sanity_gate(gate, reason):
    sanity = [gate if one.name == gate.name else one for one in SANITY]

    decision = decide(sanity, None, beats_naive=True)

    assert not decision.promote
    assert decision.reason == reason


def test_one_failed_gate_refuses_a_candidate():
    gates = [data_end_gate("2024-05-01", "2024-05-01", "2024-05-01"), loss_gate(comparison(0.05, 0.01), 7)]

    decision = decide(SANITY, gates, beats_naive=True)

    assert not decision.promote
    assert decision.reason == "loss: +5.0% on 400 origins (7 newer than Production's data), p = 0.010"
    better = decide(SANITY, gates[:1], beats_naive=True)
    assert better.promote
    assert (
        better.reason
        == "better than the naive forecast; data end: data until 2024-05-01, Production's until 2024-05-01"
    )


def test_a_model_of_older_data_never_replaces_one_of_newer_data():
    assert data_end_gate("2024-05-02", "2024-05-01", "2024-05-02").passed
    assert data_end_gate("2024-05-01", "2024-05-01", "2024-05-01").passed
    assert not data_end_gate("2024-04-30", "2024-05-01", "2024-05-01").passed


def test_a_champion_that_has_seen_prices_after_those_that_are_served_gives_way_to_a_candidate_that_has_not():
    gate = data_end_gate("2024-04-30", "2024-05-01", "2024-04-30")
    assert gate.passed
    assert gate.detail.endswith("after those that are served, which end on 2024-04-30: it cannot answer")
    assert not data_end_gate("2024-04-30", "2024-05-01", "2024-04-29").passed  # nor can the candidate


@pytest.mark.parametrize(
    ("figures", "passed"),
    [
        (comparison(0.05, 0.049), False),
        (comparison(0.05, 0.051), True),  # not significant
        (comparison(0.0009, 1e-9), True),  # significant, but immaterial
        (comparison(-0.05, 0.99), True),
        (comparison(0.0, None), True),  # the same forecasts
    ],
)
def test_the_loss_must_not_be_significantly_and_materially_larger(figures, passed):
    assert loss_gate(figures, 0).passed is passed


def test_without_common_rows_the_loss_gate_passes_and_gives_the_reason():
    none = {"origins": 0, "candidate": None, "champion": None, "p_worse": None}
    gate = loss_gate(none, 0, "Production's own evidence is gone")

    assert gate.passed
    assert gate.detail == "no common out-of-sample rows; Production's own evidence is gone"


@pytest.mark.parametrize(
    ("coverages", "passed"),
    [
        (coverage(0.83), True),  # within sampling error of 100 independent rows
        (coverage(0.82), False),
        (coverage(0.98), False),  # too wide
        (coverage(0.87, independent=10_000), False),
        (coverage(0.881, independent=10_000), True),
        (coverage(0.80, champion=0.805), True),  # Production would fail too
        (coverage(0.80, champion=0.82), False),
        ([], True),
    ],
)
def test_the_coverage_of_a_band_must_be_right_within_sampling_error(coverages, passed):
    assert coverage_gate(coverages).passed is passed


def test_the_coverage_gate_fails_if_one_horizon_does():
    assert not coverage_gate(coverage(0.9) + coverage(0.7)).passed


@pytest.mark.parametrize(
    ("brier", "p_value", "change", "passed"),
    [
        (0.70, 0.96, 0.01, False),
        (0.70, 0.96, 0.0, True),  # Production is no better
        (0.70, 0.94, 0.01, True),  # within noise
        (0.60, 0.01, 0.01, True),
        (0.70, None, 0.01, True),  # too few rows for a test
    ],
)
def test_probabilities_must_not_be_worse_than_the_base_rates(brier, p_value, change, passed):
    metrics = {"brier": brier, "brier_baseline": 0.66, "ece": 0.1, "p_value": p_value}
    figures = {key: value for key, value in metrics.items() if value is not None}

    assert calibration_gate(figures, comparison(change)).passed is passed


def test_a_candidate_without_labelled_rows_is_not_judged_on_calibration():
    assert calibration_gate({}, comparison()).passed
