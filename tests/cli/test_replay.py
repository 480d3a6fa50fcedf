"""`zenith replay`: lines and exit status of a replay."""

import pytest

from zenith_cli.replay import exit_status, lines
from zenith_pipelines.production.decision_replay import DecisionReplay, compare_gates
from zenith_pipelines.registry.decision_log import DecisionRecord

LOSS = {"gate": "loss", "passed": False, "says": "+9.0% on 400 origins", "figures": {"change": 0.09}}
RECORD = DecisionRecord(2, "refused", 1, "2026-11-27", "loss: +9.0%", "me@here", [LOSS], "2026-11-30T02:00:00.000000Z")


def replayed(*again, missing=(), record=RECORD):
    return DecisionReplay("lstm-AAPL", record, compare_gates(record.gates, again), missing)


def test_the_same_gates_are_exit_status_0():
    replay = replayed(LOSS)
    assert exit_status(replay) == 0
    assert lines(replay) == [
        "lstm-AAPL version 2, refused 2026-11-30T02:00 by me@here: loss: +9.0%",
        "same       REFUSED  loss: +9.0% on 400 origins",
        "Same verdict and figures.",
    ]


def test_another_verdict_is_exit_status_1_and_stands_beside_the_record():
    replay = replayed({**LOSS, "passed": True, "says": "+0.1% on 400 origins"})
    assert exit_status(replay) == 1
    assert lines(replay)[1:] == [
        "DIFFERENT  passed   loss: +0.1% on 400 origins; record: +9.0% on 400 origins",
        "Not the same as in the record.",
    ]


def test_a_gate_that_is_gone_or_new_is_not_the_same():
    replay = replayed({**LOSS, "gate": "coverage"})
    assert exit_status(replay) == 1
    assert lines(replay)[1].endswith("; record: no such gate")
    assert lines(replay)[2] == "gone       loss: the record has it"


def test_missing_evidence_is_exit_status_3():
    replay = replayed(missing=("evidence.parquet of lstm-AAPL version 1",))
    assert exit_status(replay) == 3
    assert lines(replay)[1:] == ["missing: evidence.parquet of lstm-AAPL version 1"]


def test_a_rollback_has_no_gates_to_compute_again():
    replay = replayed(record=DecisionRecord(1, "rolled back", 2, "2026-11-27", "odd", "me@here"))
    assert exit_status(replay) == 0
    assert lines(replay)[1:] == ["It was decided without gates: there is nothing to compute again."]


@pytest.mark.parametrize("text", ["nonsense", "lstm-AAPL/2"])
def test_an_unknown_decision_is_one_line_and_exit_status_2(zenith, monkeypatch, tmp_path, text):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    status, _, error = zenith("replay", text)
    assert status == 2
    assert len(error.strip().splitlines()) == 1
