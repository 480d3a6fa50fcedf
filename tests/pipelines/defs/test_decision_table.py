from zenith_pipelines.defs.metadata import gate_figures, gates_table
from zenith_pipelines.production.promotion_gates import coverage_gate, data_end_gate, loss_gate

COVERAGE = {"horizon": 5, "rows": 500, "independent": 100.0, "candidate": 0.7, "champion": 0.9}
COMPARED = {"origins": 400, "candidate": 1.1, "champion": 1.0, "p_worse": None}
DECISION = {
    "model": "lstm-AAPL",
    "version": 3,
    "outcome": "refused",
    "standing": "no skill shown",
    "production": 2,
    "previous": 2,
    "gates": [
        gate.to_json()
        for gate in (
            data_end_gate("2024-05-02", "2024-05-01", "2024-05-02"),
            loss_gate(COMPARED, 7, "a | b"),
            coverage_gate([COVERAGE]),
        )
    ],
}


def test_a_decision_is_a_headline_and_a_row_for_each_gate():
    head, empty, *table = gates_table(DECISION).splitlines()

    assert head == "**lstm-AAPL version 3: refused** (no skill shown); in Production: 2, before: 2"
    assert empty == ""
    assert table[:3] == [
        "| gate | verdict | evidence |",
        "|---|---|---|",
        "| data end | passed | data until 2024-05-02, Production's until 2024-05-01 |",
    ]
    assert table[3].endswith("; a \\| b |")
    assert table[4].startswith("| coverage | **refused** | 70.0% ± ")


def test_the_numbers_of_the_gates_are_figures():
    assert gate_figures(DECISION) == {
        "loss/candidate": 1.1,
        "loss/champion": 1.0,
        "loss/change": 1.1 / 1.0 - 1,
        "loss/origins": 400,
        "loss/newer": 7,
        "coverage/at_5": 0.7,
    }
