"""What a rollback goes back to, and on what two machines settle. The record: production/test_promotion.py."""

from dataclasses import replace

import pytest

from zenith_pipelines.registry.decision_log import (
    DecisionRecord,
    current_user,
    resolve_concurrent_moves,
    rollback_target,
)


def made(*decisions):
    """Records from (outcome, version) or (outcome, version, data end), a second apart."""
    return [
        DecisionRecord(
            version, outcome, None, *(data_end or ["2024-01-01"]), "", "me", at=f"2024-01-01T00:00:{second:02}"
        )
        for second, (outcome, version, *data_end) in enumerate(decisions)
    ]


UP, BY_HAND, NO, BACK = "promoted", "forced", "refused", "rolled back"


@pytest.mark.parametrize(
    ("decisions", "current", "target"),
    [
        ([(UP, 1), (UP, 2), (UP, 3)], 3, 2),
        ([(UP, 1), (NO, 2), (BY_HAND, 3)], 3, 1),
        ([(UP, 1), (UP, 2), (UP, 3), (BACK, 2)], 2, 1),  # a second rollback goes on, not back to 3
        ([(UP, 1), (UP, 2), (UP, 3), (BACK, 2), (UP, 4)], 4, 2),
        ([(UP, 1), (UP, 2), (BACK, 1), (UP, 2)], 2, 1),  # promoted anew
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
def test_a_rollback_goes_to_what_was_before(decisions, current, target):
    assert rollback_target(made(*decisions), current, {1, 2, 3, 4, 9}) == target


def moved(outcome, version, previous):
    (one,) = made((outcome, version))
    return replace(one, previous=previous)


def test_a_promotion_that_was_recorded_and_never_carried_out_is_no_step():
    killed = [moved(UP, 1, None), moved(UP, 2, 1), moved(UP, 3, 1)]

    assert rollback_target(killed, 3, {1, 2, 3}) == 1
    assert rollback_target(killed[:2], 1, {1, 2, 3}) is None


def test_an_alias_moved_by_hand_is_a_step_once_something_follows_it():
    assert rollback_target([moved(UP, 1, None), moved(UP, 3, 2)], 3, {1, 2, 3}) == 2
    assert rollback_target([moved(UP, 1, None), moved(UP, 3, 2), moved(BACK, 2, 3)], 2, {1, 2, 3}) == 1


def test_a_version_that_was_cleaned_up_is_passed_over():
    assert rollback_target(made((UP, 1), (UP, 2), (UP, 3)), 3, {1, 3}) == 1


def test_the_newer_data_end_settles_it_whoever_was_last():
    older, newer = made((UP, 1, "2024-01-05"), (UP, 2, "2024-01-02"))

    assert resolve_concurrent_moves(older, [newer]) == resolve_concurrent_moves(newer, [older]) == 1
    assert resolve_concurrent_moves(older, []) == 1


def test_of_equal_data_the_newer_version_settles_it():
    first, second = made((UP, 5), (UP, 4))

    assert resolve_concurrent_moves(first, [second]) == resolve_concurrent_moves(second, [first]) == 5


def test_what_was_done_by_hand_stands():
    automatic, back, refused = made((UP, 3, "2024-02-01"), (BACK, 1, "2024-01-01"), (NO, 7, "2024-03-01"))

    assert resolve_concurrent_moves(automatic, [back, refused]) == resolve_concurrent_moves(back, [automatic]) == 1


def test_who_decides_is_a_user_on_a_machine(monkeypatch):
    monkeypatch.setattr("zenith_pipelines.registry.decision_log.socket.gethostname", lambda: "desk")
    monkeypatch.setattr("zenith_pipelines.registry.decision_log.getuser", lambda: "ann")
    assert current_user() == "ann@desk"

    def nameless():
        raise OSError("No username set in the environment")

    monkeypatch.setattr("zenith_pipelines.registry.decision_log.getuser", nameless)
    assert current_user() == "unknown@desk"
