"""How the Production alias moves, on a real MLflow registry: earned, by hand, or back; and the record of it."""

import json

import pytest

from tests.pipelines.synthetic_models import current_data, market, price_onnx, register_version, signal_onnx
from zenith_core.errors import NotAvailable, UserError
from zenith_pipelines.production.promotion import Refused, promote, promote_if_better, roll_back
from zenith_pipelines.registry.decision_log import decision_history

# MLflow 3.17 warns of itself, on its first use and on the import of its pyfunc.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType"),
]

FEATURES = market()
EARLIER, LATER = FEATURES.iloc[:440], FEATURES


def consider_new(registry, ticker, features=LATER, kind="lstm", **worth):
    version = register_version(registry, kind, ticker, features, **worth)
    return promote_if_better(registry, kind, version.version, current_data(ticker, LATER))


def gate(decision, name):
    return next(gate for gate in decision["gates"] if gate["gate"] == name)


@pytest.mark.parametrize("kind", ["lstm", "ensemble"])
def test_a_first_model_becomes_production_and_says_that_it_showed_no_skill(registry, kind):
    decision = consider_new(registry, "FIRST", kind=kind)

    assert (decision["production"], decision["previous"], decision["outcome"]) == (1, None, "promoted")
    assert decision["standing"] == "first model, no skill shown"
    assert [one["gate"] for one in decision["gates"]] == ["answers", "leakage", "evidence"]
    assert registry.production(f"{kind}-FIRST").version == 1


def test_what_is_in_production_already_stays_without_a_word_in_the_history(registry):
    consider_new(registry, "STAYS")

    again = promote_if_better(registry, "lstm", 1, current_data("STAYS", LATER))

    assert (again["outcome"], again["production"]) == ("promoted", 1)
    assert [decision.version for decision in decision_history(registry, "lstm-STAYS")] == [1]


@pytest.mark.parametrize("kind", ["lstm", "ensemble"])
def test_a_worse_candidate_is_refused_with_the_figures_and_a_better_one_promoted(registry, kind):
    ticker = "WORSE"
    consider_new(registry, ticker, EARLIER, kind, knows=0.3)

    worse = consider_new(registry, ticker, kind=kind)
    assert (worse["outcome"], worse["production"]) == ("refused", 1)
    figures = gate(worse, "loss")["figures"]
    assert figures["p_worse"] < 0.001
    assert figures["candidate"] > 1.5 * figures["champion"]
    assert worse["reason"].startswith("loss: +")
    assert registry.production(f"{kind}-{ticker}").version == 1

    better = consider_new(registry, ticker, kind=kind, knows=0.5, **({"wide": 0.5} if kind == "lstm" else {}))
    assert (better["outcome"], better["production"], better["previous"]) == ("promoted", 3, 1)


@pytest.mark.parametrize(("kind", "horizon"), [("lstm", 1), ("ensemble", 5)])
def test_rows_newer_than_the_champion_s_data_are_answered_by_its_own_artifact(registry, kind, horizon):
    consider_new(registry, "NEWER", EARLIER, kind)

    figures = gate(consider_new(registry, "NEWER", kind=kind), "loss")["figures"]

    assert figures["newer"] == len(LATER) - len(EARLIER) - horizon
    assert figures["origins"] == len(LATER) - 100 - horizon


def test_a_champion_that_is_bad_on_newer_rows_shows_in_the_comparison(registry):
    consider_new(registry, "BADNEW", EARLIER, onnx=price_onnx(growth=2.0))

    figures = gate(consider_new(registry, "BADNEW"), "loss")["figures"]

    assert figures["champion"] > 10 * figures["candidate"]


def test_a_champion_of_other_features_is_compared_on_its_evidence_alone(registry):
    promote_if_better(
        registry,
        "lstm",
        register_version(registry, "lstm", "SPEC", EARLIER, spec="f4").version,
        current_data("SPEC", EARLIER, "f4"),
    )

    loss = gate(consider_new(registry, "SPEC"), "loss")

    assert loss["figures"]["newer"] == 0
    assert loss["figures"]["origins"] == len(EARLIER) - 100
    assert loss["says"].endswith("asked of newer sessions: made for the features f4, today's are f5")


def test_without_common_rows_the_sanity_gates_decide_and_it_is_said(registry, registry_dir):
    consider_new(registry, "ALONE")
    run = registry.version("lstm-ALONE", 1).run_id
    (registry_dir / "artifacts" / run / "artifacts" / "evidence.parquet").unlink()

    decision = consider_new(registry, "ALONE", wide=0.1)

    assert decision["outcome"] == "promoted"
    assert gate(decision, "loss")["says"] == "no rows that neither had seen; Production's own evidence is gone"


def test_bands_that_do_not_hold_what_they_promise_are_refused(registry):
    consider_new(registry, "BAND", EARLIER)

    decision = consider_new(registry, "BAND", wide=0.6)

    assert decision["reason"].startswith("coverage: ")
    assert {seen["horizon"] for seen in gate(decision, "coverage")["figures"]["horizons"]} == {1, 5, 20}


def test_an_artifact_that_does_not_answer_finitely_is_refused_even_as_a_first_model(registry):
    silent = signal_onnx(probabilities=(float("nan"), 0.5, 0.5))
    assert consider_new(registry, "NAN", kind="ensemble", onnx=silent)["reason"] == "answers: its answer is not finite"

    wrong = consider_new(registry, "NAN", onnx=signal_onnx())
    assert wrong["reason"].startswith("answers: does not load or answer: ")
    assert registry.production("lstm-NAN") is registry.production("ensemble-NAN") is None


def test_the_decision_is_told_by_the_version_s_tags_and_by_the_history_of_the_model(registry):
    consider_new(registry, "TOLD", EARLIER, knows=0.3)
    refused = consider_new(registry, "TOLD")

    first, second = decision_history(registry, "lstm-TOLD")
    assert (first.version, first.outcome, first.previous) == (1, "promoted", None)
    assert (second.version, second.outcome, second.previous) == (2, "refused", 1)
    assert (second.reason, second.by, second.at) == (refused["reason"], refused["by"], refused["at"])
    assert second.gates == refused["gates"]
    tags = registry.version("lstm-TOLD", 2).tags
    assert (tags["decision"], tags["decided_by"], tags["reason"]) == ("refused", refused["by"], refused["reason"])
    assert json.loads(tags["gates"]) == refused["gates"]


def test_the_history_outlives_its_versions(registry):
    consider_new(registry, "GONE", EARLIER)
    consider_new(registry, "GONE")
    registry._client.delete_model_version("lstm-GONE", "1")

    assert [(one.version, one.outcome) for one in decision_history(registry, "lstm-GONE")] == [
        (1, "promoted"),
        (2, "promoted"),
    ]


def test_a_person_s_promotion_runs_the_gates_and_force_overrules_them(registry):
    here = current_data("HAND", LATER)
    consider_new(registry, "HAND", knows=0.3)
    register_version(registry, "lstm", "HAND", LATER)

    refused = promote(registry, "lstm", 2, here, force=False, reason="hoping")
    assert (refused["outcome"], refused["production"]) == ("refused", 1)
    assert refused["reason"].startswith("hoping; loss: +")
    assert registry.production("lstm-HAND").version == 1
    assert decision_history(registry, "lstm-HAND")[-1].outcome == "refused"

    decision = promote(registry, "lstm", 2, here, force=True, reason="the champion\nsaw a bad tick")
    assert (decision["outcome"], decision["production"]) == ("forced", 2)
    assert decision["reason"].startswith("the champion saw a bad tick; loss: ")
    assert decision_history(registry, "lstm-HAND")[-1].reason == decision["reason"]


def test_force_does_not_move_the_alias_to_what_cannot_serve(registry):
    consider_new(registry, "FORCE")
    register_version(registry, "lstm", "FORCE", LATER, onnx=signal_onnx())

    refused = promote(registry, "lstm", 2, current_data("FORCE", LATER), force=True, reason="I want it")

    assert refused["outcome"] == "refused"
    assert "answers: does not load or answer: " in refused["reason"]
    assert registry.production("lstm-FORCE").version == 1


def test_a_promotion_that_makes_no_sense_is_one_line(registry):
    here = current_data("LINE", LATER)
    consider_new(registry, "LINE")

    with pytest.raises(UserError, match=r"^--force needs --reason TEXT"):
        promote(registry, "lstm", 1, here, force=True, reason=" ")
    with pytest.raises(NotAvailable, match=r"^lstm-LINE has no version 7$"):
        promote(registry, "lstm", 7, here, force=False, reason=None)
    with pytest.raises(UserError, match=r"^lstm-LINE version 1 is in Production already$"):
        promote(registry, "lstm", 1, here, force=False, reason=None)
    with pytest.raises(UserError, match=r"^--reason: 501 characters are too many"):
        roll_back(registry, "lstm", here, reason="x" * 501)
    assert len(decision_history(registry, "lstm-LINE")) == 1


def test_a_rollback_goes_back_step_by_step_and_a_schedule_does_not_undo_it(registry):
    here = current_data("BACK", LATER)
    for sessions in (420, 440, 500):
        consider_new(registry, "BACK", FEATURES.iloc[:sessions])

    first = roll_back(registry, "lstm", here, reason="it forecast a split")
    assert (first["outcome"], first["production"], first["previous"]) == ("rolled back", 2, 3)
    assert first["reason"] == "it forecast a split"

    again = promote_if_better(registry, "lstm", 3, here)
    assert (again["outcome"], again["production"]) == ("refused", 2)
    assert again["reason"].startswith(f"rolled back by {first['by']}, ")

    assert roll_back(registry, "lstm", here, reason=None)["production"] == 1
    with pytest.raises(NotAvailable, match=r"^nothing to go back to: lstm-BACK version 1 replaced no version that is"):
        roll_back(registry, "lstm", here, reason=None)
    assert promote(registry, "lstm", 3, here, force=False, reason=None)["production"] == 3
    assert promote_if_better(registry, "lstm", 3, here)["outcome"] == "promoted"
    assert roll_back(registry, "lstm", here, reason=None)["production"] == 1


def test_a_rollback_to_what_cannot_serve_moves_nothing(registry, registry_dir):
    for sessions in (440, 500):
        consider_new(registry, "LOST", FEATURES.iloc[:sessions])
    for model in (registry_dir / "artifacts" / "models").rglob("model.onnx"):
        if registry.version("lstm-LOST", 1).run_id in (model.parent / "MLmodel").read_text():
            model.unlink()

    with pytest.raises(Refused, match=r"^lstm-LOST was not rolled back: version 1 does not load or answer: "):
        roll_back(registry, "lstm", current_data("LOST", LATER), reason=None)
    assert registry.production("lstm-LOST").version == 2
    with pytest.raises(NotAvailable, match=r"^no lstm-NOTHING in Production yet"):
        roll_back(registry, "lstm", current_data("NOTHING", LATER), reason=None)


def test_a_version_that_somebody_else_registered_is_judged_and_refused_not_stumbled_over(registry):
    consider_new(registry, "ALIEN")
    registry.register("lstm-ALIEN", price_onnx(), metrics={}, params={}, tags={})

    decision = promote_if_better(registry, "lstm", 2, current_data("ALIEN", LATER))

    assert decision["outcome"] == "refused"
    refused = [one["gate"] for one in decision["gates"] if not one["passed"]]
    assert refused == ["answers", "leakage", "evidence", "data end"]
