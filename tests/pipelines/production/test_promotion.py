"""Promotion by gates, promotion by hand and rollback on a real MLflow registry, with their history."""

from dataclasses import replace

import pytest

from tests.pipelines.synthetic_models import current_data, market, price_onnx, register_version, signal_onnx
from zenith_core.errors import NotAvailable, UserError
from zenith_core.names import last_decision
from zenith_pipelines.production.promotion import Refused, promote, promote_if_better, roll_back
from zenith_pipelines.registry.decision_log import decision_history, failed_gates

pytestmark = pytest.mark.slow

FEATURES = market()
EARLIER, LATER = FEATURES.iloc[:440], FEATURES


def register_and_promote(registry, ticker, features=LATER, kind="lstm", **worth):
    version = register_version(registry, kind, ticker, features, **worth)
    return promote_if_better(registry, kind, version.version, current_data(ticker, LATER))


def gate(decision, name):
    return next(gate for gate in decision["gates"] if gate["gate"] == name)


@pytest.mark.parametrize("kind", ["lstm", "ensemble"])
def test_a_first_model_becomes_production_and_is_recorded_as_without_skill(registry, kind):
    decision = register_and_promote(registry, "FIRST", kind=kind)

    assert (decision["production"], decision["previous"], decision["outcome"]) == (1, None, "promoted")
    assert decision["standing"] == "first model, no skill shown"
    assert [one["gate"] for one in decision["gates"]] == ["answers", "leakage", "evidence"]
    assert registry.production(f"{kind}-FIRST").version == 1


def test_the_production_version_stays_and_adds_nothing_to_the_history(registry):
    register_and_promote(registry, "STAYS")

    again = promote_if_better(registry, "lstm", 1, current_data("STAYS", LATER))

    assert (again["outcome"], again["production"]) == ("promoted", 1)
    assert [decision.version for decision in decision_history(registry, "lstm-STAYS")] == [1]


@pytest.mark.parametrize("kind", ["lstm", "ensemble"])
def test_a_worse_candidate_is_refused_with_the_figures_and_a_better_one_promoted(registry, kind):
    ticker = "WORSE"
    register_and_promote(registry, ticker, EARLIER, kind, foresight=0.3)

    worse = register_and_promote(registry, ticker, kind=kind)
    assert (worse["outcome"], worse["production"]) == ("refused", 1)
    figures = gate(worse, "loss")["figures"]
    assert figures["p_worse"] < 0.001
    assert figures["candidate"] > 1.5 * figures["champion"]
    assert worse["reason"].startswith("loss: +")
    assert registry.production(f"{kind}-{ticker}").version == 1

    better = register_and_promote(
        registry, ticker, kind=kind, foresight=0.5, **({"width": 0.5} if kind == "lstm" else {})
    )
    assert (better["outcome"], better["production"], better["previous"]) == ("promoted", 3, 1)


@pytest.mark.parametrize(("kind", "horizon"), [("lstm", 1), ("ensemble", 5)])
def test_the_champions_own_model_forecasts_rows_newer_than_its_data(registry, kind, horizon):
    register_and_promote(registry, "NEWER", EARLIER, kind)

    figures = gate(register_and_promote(registry, "NEWER", kind=kind), "loss")["figures"]

    assert figures["newer"] == len(LATER) - len(EARLIER) - horizon
    assert figures["origins"] == len(LATER) - 100 - horizon


def test_a_champion_that_fails_on_newer_rows_has_the_larger_loss(registry):
    register_and_promote(registry, "BADNEW", EARLIER, onnx=price_onnx(growth=2.0))

    figures = gate(register_and_promote(registry, "BADNEW"), "loss")["figures"]

    assert figures["champion"] > 10 * figures["candidate"]


def test_a_champion_of_another_feature_spec_is_compared_on_its_evidence_alone(registry):
    promote_if_better(
        registry,
        "lstm",
        register_version(registry, "lstm", "SPEC", EARLIER, spec="f4").version,
        current_data("SPEC", EARLIER, "f4"),
    )

    loss = gate(register_and_promote(registry, "SPEC"), "loss")

    assert loss["figures"]["newer"] == 0
    assert loss["figures"]["origins"] == len(EARLIER) - 100
    assert loss["says"].endswith(
        "Production could not forecast newer sessions: it was trained on features f4, today's are f5"
    )


def test_without_common_rows_the_sanity_gates_decide_and_the_loss_gate_says_so(registry, registry_dir):
    register_and_promote(registry, "ALONE")
    run = registry.version("lstm-ALONE", 1).run_id
    (registry_dir / "artifacts" / run / "artifacts" / "evidence.parquet").unlink()

    decision = register_and_promote(registry, "ALONE", width=0.1)

    assert decision["outcome"] == "promoted"
    assert gate(decision, "loss")["says"] == "no common out-of-sample rows; Production's own evidence is gone"


def test_a_candidate_with_bands_that_are_too_narrow_is_refused(registry):
    register_and_promote(registry, "BAND", EARLIER)

    decision = register_and_promote(registry, "BAND", width=0.6)

    assert decision["reason"].startswith("coverage: ")
    assert {one["horizon"] for one in gate(decision, "coverage")["figures"]["horizons"]} == {1, 5, 20}


def test_a_model_without_finite_forecasts_is_refused_even_as_a_first_model(registry):
    silent = signal_onnx(probabilities=(float("nan"), 0.5, 0.5))
    assert (
        register_and_promote(registry, "NAN", kind="ensemble", onnx=silent)["reason"]
        == "answers: its forecast is not finite"
    )

    wrong = register_and_promote(registry, "NAN", onnx=signal_onnx())
    assert wrong["reason"].startswith("answers: does not load or forecast: ")
    assert registry.production("lstm-NAN") is registry.production("ensemble-NAN") is None


def test_a_decision_is_in_the_tags_of_the_version_and_in_the_history_of_the_model(registry):
    register_and_promote(registry, "TAGS", EARLIER, foresight=0.3)
    result = register_and_promote(registry, "TAGS")

    first, second = decision_history(registry, "lstm-TAGS")
    assert (first.version, first.outcome, first.previous) == (1, "promoted", None)
    assert (second.version, second.outcome, second.previous) == (2, "refused", 1)
    assert (second.reason, second.by, second.at) == (result["reason"], result["by"], result["at"])
    assert second.gates == result["gates"]
    tags = registry.version("lstm-TAGS", 2).tags
    assert (tags["decision"], tags["decided_by"], tags["reason"]) == ("refused", result["by"], result["reason"])
    assert failed_gates(tags) == [gate["gate"] for gate in result["gates"] if not gate["passed"]] != []


def test_the_history_outlives_the_versions(registry):
    register_and_promote(registry, "GONE", EARLIER)
    register_and_promote(registry, "GONE")
    registry._client.delete_model_version("lstm-GONE", "1")

    assert [(one.version, one.outcome) for one in decision_history(registry, "lstm-GONE")] == [
        (1, "promoted"),
        (2, "promoted"),
    ]


def test_a_manual_promotion_runs_the_gates_and_force_overrules_them(registry):
    current = current_data("HAND", LATER)
    register_and_promote(registry, "HAND", foresight=0.3)
    register_version(registry, "lstm", "HAND", LATER)

    result = promote(registry, "lstm", 2, current, force=False, reason="hoping")
    assert (result["outcome"], result["production"]) == ("refused", 1)
    assert result["reason"].startswith("hoping; loss: +")
    assert registry.production("lstm-HAND").version == 1
    assert decision_history(registry, "lstm-HAND")[-1].outcome == "refused"

    decision = promote(registry, "lstm", 2, current, force=True, reason="the champion\nsaw a bad tick")
    assert (decision["outcome"], decision["production"]) == ("forced", 2)
    assert decision["reason"].startswith("the champion saw a bad tick; loss: ")
    assert decision_history(registry, "lstm-HAND")[-1].reason == decision["reason"]


def test_force_does_not_promote_a_version_that_cannot_serve(registry):
    register_and_promote(registry, "FORCE")
    register_version(registry, "lstm", "FORCE", LATER, onnx=signal_onnx())

    result = promote(registry, "lstm", 2, current_data("FORCE", LATER), force=True, reason="I want it")

    assert result["outcome"] == "refused"
    assert "answers: does not load or forecast: " in result["reason"]
    assert registry.production("lstm-FORCE").version == 1


def test_an_impossible_promotion_is_an_error_of_one_line(registry):
    current = current_data("LINE", LATER)
    register_and_promote(registry, "LINE")

    with pytest.raises(UserError, match=r"^--force needs --reason TEXT"):
        promote(registry, "lstm", 1, current, force=True, reason=" ")
    with pytest.raises(NotAvailable, match=r"^lstm-LINE has no version 7$"):
        promote(registry, "lstm", 7, current, force=False, reason=None)
    with pytest.raises(UserError, match=r"^lstm-LINE version 1 is in Production already$"):
        promote(registry, "lstm", 1, current, force=False, reason=None)
    with pytest.raises(UserError, match=r"^--reason: 501 characters are too many"):
        roll_back(registry, "lstm", current, reason="x" * 501)
    assert len(decision_history(registry, "lstm-LINE")) == 1


def test_rollbacks_go_back_version_by_version_and_no_schedule_undoes_them(registry):
    current = current_data("BACK", LATER)
    for sessions in (420, 440, 500):
        register_and_promote(registry, "BACK", FEATURES.iloc[:sessions])

    first = roll_back(registry, "lstm", current, reason="it forecast a split")
    assert (first["outcome"], first["production"], first["previous"]) == ("rolled back", 2, 3)
    assert first["reason"] == "it forecast a split"

    again = promote_if_better(registry, "lstm", 3, current)
    assert (again["outcome"], again["production"]) == ("refused", 2)
    assert again["reason"].startswith(f"rolled back by {first['by']}, ")

    assert roll_back(registry, "lstm", current, reason=None)["production"] == 1
    with pytest.raises(NotAvailable, match=r"^nothing to roll back to: lstm-BACK version 1 replaced no version that"):
        roll_back(registry, "lstm", current, reason=None)
    assert promote(registry, "lstm", 3, current, force=False, reason=None)["production"] == 3
    assert promote_if_better(registry, "lstm", 3, current)["outcome"] == "promoted"
    assert roll_back(registry, "lstm", current, reason=None)["production"] == 1


def test_a_copy_of_the_version_in_production_is_recorded_as_unchanged(registry):
    register_and_promote(registry, "COPY")
    register_version(registry, "lstm", "COPY", FEATURES)

    decision = promote_if_better(registry, "lstm", 2, current_data("COPY", LATER), by="schedule weekly_retraining")

    assert (decision["outcome"], decision["promoted"], decision["production"]) == ("unchanged", False, 1)
    assert decision["reason"] == "identical to version 1, which is in Production"
    assert registry.production("lstm-COPY").version == 1
    (_, record) = decision_history(registry, "lstm-COPY")
    assert (record.outcome, record.by, record.moved) == ("unchanged", "schedule weekly_retraining", False)


def test_a_version_that_stays_out_for_the_same_reason_is_recorded_once(registry):
    current = current_data("ONCE", LATER)
    for sessions in (440, 500):
        register_and_promote(registry, "ONCE", FEATURES.iloc[:sessions])
    roll_back(registry, "lstm", current, reason="it forecast a split")

    for _ in range(2):  # as two runs do that train another kind
        assert promote_if_better(registry, "lstm", 2, current)["outcome"] == "refused"

    outcomes = [one.outcome for one in decision_history(registry, "lstm-ONCE")]
    assert outcomes == ["promoted", "promoted", "rolled back", "refused"]
    promote(registry, "lstm", 2, current, force=True, reason="it was none")
    assert [one.moved for one in decision_history(registry, "lstm-ONCE")][-1:] == [True]


def test_a_copy_of_a_version_that_was_rolled_back_stays_out(registry):
    current = current_data("BACKAGAIN", LATER)
    for sessions in (440, 500):
        register_and_promote(registry, "BACKAGAIN", FEATURES.iloc[:sessions])
    roll_back(registry, "lstm", current, reason="it forecast a split")
    copy = register_version(registry, "lstm", "BACKAGAIN", FEATURES)
    assert copy.tags["sha256"] == registry.version("lstm-BACKAGAIN", 2).tags["sha256"]
    history = decision_history(registry, "lstm-BACKAGAIN")
    assert [one.outcome for one in history] == ["promoted", "promoted", "rolled back"]

    decision = promote_if_better(registry, "lstm", 3, current)

    assert (decision["outcome"], decision["production"]) == ("refused", 1)
    assert decision["reason"].endswith("it forecast a split")


def test_after_a_rollback_both_versions_read_as_what_happened_to_them(registry):
    for sessions in (440, 500):
        register_and_promote(registry, "RESTORED", FEATURES.iloc[:sessions])
    roll_back(registry, "lstm", current_data("RESTORED", LATER), reason="it forecast a split")

    tags = {version.version: version.tags for version in registry.versions("lstm-RESTORED")}
    assert {version: last_decision(tags[version]) for version in tags} == {1: "restored", 2: "rolled back"}
    assert tags[2]["reason"] == "it forecast a split"
    assert last_decision({"decision": "rolled back"}) == "restored"  # as 0.1.0 tagged it
    assert last_decision({}) is None


def test_a_rollback_crosses_a_change_of_features_if_the_snapshot_has_the_inputs_of_both(registry):
    earlier = current_data("CROSS", LATER, "f4")
    version = register_version(registry, "lstm", "CROSS", EARLIER, spec="f4").version
    promote_if_better(registry, "lstm", version, earlier)
    register_and_promote(registry, "CROSS")
    current = current_data("CROSS", LATER)

    with pytest.raises(Refused, match=r"version 1 was trained on features f4, today's are f5$"):
        roll_back(registry, "lstm", current, reason=None)
    both = replace(current, snapshot=replace(current.snapshot, other_specs={"f4": earlier.snapshot}))
    assert roll_back(registry, "lstm", both, reason=None)["production"] == 1


def test_a_rollback_to_a_version_that_cannot_serve_moves_nothing(registry, registry_dir):
    for sessions in (440, 500):
        register_and_promote(registry, "LOST", FEATURES.iloc[:sessions])
    for model in (registry_dir / "artifacts" / "models").rglob("model.onnx"):
        if registry.version("lstm-LOST", 1).run_id in (model.parent / "MLmodel").read_text():
            model.unlink()

    with pytest.raises(Refused, match=r"^lstm-LOST was not rolled back: version 1 does not load or forecast: "):
        roll_back(registry, "lstm", current_data("LOST", LATER), reason=None)
    assert registry.production("lstm-LOST").version == 2
    with pytest.raises(NotAvailable, match=r"^no lstm-NOTHING in Production yet"):
        roll_back(registry, "lstm", current_data("NOTHING", LATER), reason=None)


def test_a_version_registered_outside_zenith_is_refused_by_its_gates(registry):
    register_and_promote(registry, "ALIEN")
    registry.register("lstm-ALIEN", price_onnx(), metrics={}, params={}, tags={})

    decision = promote_if_better(registry, "lstm", 2, current_data("ALIEN", LATER))

    assert decision["outcome"] == "refused"
    failed_gates = [one["gate"] for one in decision["gates"] if not one["passed"]]
    assert failed_gates == ["answers", "leakage", "evidence", "data end"]
