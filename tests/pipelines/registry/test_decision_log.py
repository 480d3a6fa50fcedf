"""Rollback targets and concurrent moves. Records are tested in production/test_promotion.py."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from zenith_pipelines.registry.decision_log import (
    DecisionRecord,
    current_user,
    description_of,
    failed_gates,
    next_moment,
    resolve_concurrent_moves,
    rollback_target,
)


def records(*decisions):
    """Records from (outcome, version) or (outcome, version, data end), a second apart."""
    return [
        DecisionRecord(
            version, outcome, None, *(data_end or ["2024-01-01"]), "", "me", at=f"2024-01-01T00:00:{second:02}Z"
        )
        for second, (outcome, version, *data_end) in enumerate(decisions)
    ]


UP, BY_HAND, NO, BACK = "promoted", "forced", "refused", "rolled back"


@pytest.mark.parametrize(
    ("decisions", "current", "target"),
    [
        ([(UP, 1), (UP, 2), (UP, 3)], 3, 2),
        ([(UP, 1), (NO, 2), (BY_HAND, 3)], 3, 1),
        ([(UP, 1), (UP, 2), (UP, 3), (BACK, 2)], 2, 1),  # a second rollback goes further back, not to 3
        ([(UP, 1), (UP, 2), (UP, 3), (BACK, 2), (UP, 4)], 4, 2),
        ([(UP, 1), (UP, 2), (BACK, 1), (UP, 2)], 2, 1),  # promoted again
        ([(UP, 1), (UP, 2), (UP, 1)], 1, 2),
        ([(UP, 1), (UP, 2), (UP, 1), (BACK, 2)], 2, 1),
        ([(UP, 1), (UP, 2), (UP, 3)], 2, 1),  # the promotion of 3 was killed before the alias moved
        ([(UP, 1), (UP, 2)], 9, 2),  # the alias was moved by hand
        ([(UP, 1), (UP, 2), (UP, 2)], 2, 1),
        ([(UP, 1)], 1, None),
        ([(UP, 1), (UP, 2), (BACK, 1)], 1, None),
        ([], 1, None),
    ],
)
def test_a_rollback_goes_to_the_version_before(decisions, current, target):
    assert rollback_target(records(*decisions), current, {1, 2, 3, 4, 9}) == target


def move(outcome, version, previous):
    (record,) = records((outcome, version))
    return replace(record, previous=previous)


def test_a_promotion_that_was_recorded_but_not_applied_is_skipped():
    history = [move(UP, 1, None), move(UP, 2, 1), move(UP, 3, 1)]

    assert rollback_target(history, 3, {1, 2, 3}) == 1
    assert rollback_target(history[:2], 1, {1, 2, 3}) is None


def test_an_alias_moved_by_hand_in_mlflow_counts_once_another_move_follows():
    assert rollback_target([move(UP, 1, None), move(UP, 3, 2)], 3, {1, 2, 3}) == 2
    assert rollback_target([move(UP, 1, None), move(UP, 3, 2), move(BACK, 2, 3)], 2, {1, 2, 3}) == 1


def test_a_deleted_version_is_skipped():
    assert rollback_target(records((UP, 1), (UP, 2), (UP, 3)), 3, {1, 3}) == 1


def test_of_concurrent_moves_the_newer_data_end_wins_in_any_order():
    older, newer = records((UP, 1, "2024-01-05"), (UP, 2, "2024-01-02"))

    assert resolve_concurrent_moves(older, [newer]) == resolve_concurrent_moves(newer, [older]) == 1
    assert resolve_concurrent_moves(older, []) == 1


def test_of_concurrent_moves_on_equal_data_the_newer_version_wins():
    first, second = records((UP, 5), (UP, 4))

    assert resolve_concurrent_moves(first, [second]) == resolve_concurrent_moves(second, [first]) == 5


def test_a_concurrent_move_by_hand_wins():
    automatic, back, refusal = records((UP, 3, "2024-02-01"), (BACK, 1, "2024-01-01"), (NO, 7, "2024-03-01"))

    assert resolve_concurrent_moves(automatic, [back, refusal]) == resolve_concurrent_moves(back, [automatic]) == 1


def test_the_current_user_is_a_user_on_a_host(monkeypatch):
    monkeypatch.setattr("zenith_pipelines.registry.decision_log.socket.gethostname", lambda: "desk")
    monkeypatch.setattr("zenith_pipelines.registry.decision_log.getuser", lambda: "ann")
    assert current_user() == "ann@desk"

    def nameless():
        raise OSError("No username set in the environment")

    monkeypatch.setattr("zenith_pipelines.registry.decision_log.getuser", nameless)
    assert current_user() == "unknown@desk"


def test_a_clock_that_was_set_back_does_not_change_the_order():
    history = records((UP, 1), (UP, 2))  # the last at 00:00:01

    assert next_moment(history, datetime(2023, 1, 1, tzinfo=UTC)) == "2024-01-01T00:00:01.000001Z"
    assert next_moment(history, datetime(2025, 1, 1, tzinfo=UTC)) == "2025-01-01T00:00:00.000000Z"
    assert next_moment([], datetime(2023, 1, 1, tzinfo=UTC)) == "2023-01-01T00:00:00.000000Z"


def test_the_description_of_a_version_has_the_decision_and_a_row_for_each_gate():
    gates = (
        {"gate": "loss", "passed": False, "says": "+1.0% on 120 origins | p = 0.010"},
        {"gate": "leakage", "passed": True},
    )
    refusal = DecisionRecord(2, "refused", 1, "2024-01-01", "loss: +1.0%", "me@here", gates, at="2024-01-01T10:20:30Z")

    assert description_of(refusal, "refused").splitlines() == [
        "**refused** 2024-01-01 10:20 UTC by me@here: loss: +1.0%",
        "",
        "| gate | verdict | evidence |",
        "|---|---|---|",
        "| loss | **not passed** | +1.0% on 120 origins \\| p = 0.010 |",
        "| leakage | passed |  |",
    ]
    assert description_of(replace(refusal, gates=()), "restored").startswith(
        "**restored** 2024-01-01 10:20 UTC by me@here"
    )


@pytest.mark.parametrize(
    ("verdict", "failures"),
    [
        ("passed", []),
        ("none", []),
        ("not passed: loss, data end", ["loss", "data end"]),
        ('[{"gate": "answers", "passed": true}, {"gate": "data end", "passed": false}]', ["data end"]),
        (None, []),
    ],
)
def test_failed_gates_are_read_from_the_tag_of_this_and_of_earlier_releases(verdict, failures):
    assert failed_gates({} if verdict is None else {"gates": verdict}) == failures
