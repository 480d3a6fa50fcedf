"""Learning, gates, promotion, history and rollback of the scale of all tickers, on a real registry."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.core.scale_pools import some_moves, swinging_prices
from tests.empty_databases import put_mlflow_database
from zenith_core.errors import NotAvailable, TrainingError
from zenith_core.names import SCALE
from zenith_core.risk.pooled_scale import stretch
from zenith_core.risk.price_moves import price_moves
from zenith_pipelines.models.onnx_artifact import onnx_run
from zenith_pipelines.registry.decision_log import decision_history
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.retention import RetentionRules, clean_up
from zenith_pipelines.risk import scale_versions
from zenith_pipelines.risk.scale_prior import prior_before
from zenith_pipelines.risk.scale_versions import (
    group_gate,
    learn_scale,
    load_scale,
    promote_scale,
    register_scale,
    roll_back_scale,
    scale_for,
    scale_gates,
    scale_onnx,
)

SEEDS, SESSIONS = range(8), 1400


def candidate(sessions=SESSIONS):
    prices = [swinging_prices(seed, SESSIONS).iloc[:sessions] for seed in SEEDS]
    last = str(prices[0].index[-1].date())
    return learn_scale((price_moves(each) for each in prices), last)


@pytest.fixture(scope="module")
def candidates():
    """Of the same tickers, the second with 30 sessions more."""
    return candidate(SESSIONS - 30), candidate()


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scales")
    put_mlflow_database(folder)
    return ModelRegistry(f"sqlite:///{folder}/mlflow.db", folder / "artifacts")


@pytest.mark.slow
def test_the_judged_twin_ends_a_year_before_the_candidate(candidates):
    first, second = candidates

    assert first.model.data_end < second.model.data_end
    assert np.datetime64(second.model.data_end) - np.datetime64(second.cut) == np.timedelta64(365, "D")
    assert second.scores["rows"] == len(second.holdout) > 1000
    assert second.metrics["skill"] > 0


def test_a_pool_of_one_has_no_scale_of_its_own():
    with pytest.raises(TrainingError, match="of 1 ticker are too few for a scale"):
        learn_scale(some_moves(1), "2020-01-01")


@pytest.mark.slow
def test_the_artifact_computes_the_same_stretch(candidates):
    model, inputs = candidates[1].model, candidates[1].holdout.inputs[:50]

    (own,) = onnx_run(scale_onnx(model))(["stretch"], {"inputs": inputs.astype(np.float32)})
    np.testing.assert_allclose(own, stretch(inputs, model.coefficients), rtol=1e-4)


@pytest.mark.slow
def test_versions_are_promoted_kept_unchanged_and_rolled_back(registry, candidates):
    first, second = candidates
    day = second.model.data_end
    with pytest.raises(NotAvailable, match="the packaged prior serves: `zenith job learn_scale`"):
        roll_back_scale(registry, reason=None)
    assert scale_for(registry, day).version == prior_before(day).version

    decisions = []
    for each in (first, second, second):
        version = register_scale(registry, each, "run")
        decisions.append(promote_scale(registry, version.version, each, by="schedule weekly_scale"))

    assert [decision["outcome"] for decision in decisions] == ["promoted", "promoted", "unchanged"]
    assert "beside prior-" in decisions[0]["gates"][1]["says"]
    assert decisions[0]["gates"][-1]["gate"] == "groups"
    assert scale_for(registry, day).version == "2"
    assert scale_for(registry, first.cut).version == prior_before(first.cut).version  # the pool has seen later days
    loaded = load_scale(registry, registry.version(SCALE, 2))
    np.testing.assert_allclose(loaded.coefficients, second.model.coefficients, atol=1e-5)

    assert roll_back_scale(registry, reason="a doubt")["production"] == 1
    assert scale_for(registry, day).version == "1"
    outcomes = [(decision.version, decision.outcome, decision.by) for decision in decision_history(registry, SCALE)]
    assert outcomes[:3] == [
        (1, "promoted", "schedule weekly_scale"),
        (2, "promoted", "schedule weekly_scale"),
        (3, "unchanged", "schedule weekly_scale"),
    ]
    assert outcomes[3][:2] == (1, "rolled back")
    report = clean_up(registry, RetentionRules(keep_latest_n=1))
    assert "Production" in report["models"][SCALE]["kept"]["1"]
    assert [each["version"] for each in report["models"][SCALE]["deleted"]] == [2]


def test_a_scale_of_another_release_leaves_the_prior():
    champion = SimpleNamespace(version=4, data_end="2020-01-01")
    registry = SimpleNamespace(
        exists=True, production=lambda name: champion, load=lambda name, version: scale_onnx(other_release())
    )

    assert scale_for(registry, "2020-01-02").version == "prior-2019"


@pytest.mark.parametrize(("day", "version"), [("2026-11-27", "4"), ("2011-06-30", "4"), ("2011-06-29", "prior-2010")])
def test_a_scale_older_than_the_data_goes_on_and_one_that_is_newer_is_not_used(day, version):
    champion = SimpleNamespace(version=4, data_end="2011-06-30")
    registry = SimpleNamespace(
        exists=True, production=lambda name: champion, load=lambda name, number: scale_onnx(prior_before("2011-06-30"))
    )

    assert scale_for(registry, day).version == version


def other_release():
    model = prior_before("2020-01-01")
    return SimpleNamespace(
        coefficients=model.coefficients, to_dict=lambda: {**model.to_dict(), "inputs": ["of another release"]}
    )


GOOD = {f"pinball_{h}": 0.2 for h in (1, 5, 20)} | {f"coverage_{h}": 0.9 for h in (1, 5, 20, "volatile")} | {"rows": 9}


@pytest.mark.parametrize(
    ("changes", "refusals"),
    [
        ({}, []),
        ({"pinball_1": 0.2 * 1.01}, []),
        ({"pinball_1": 0.2 * 1.02}, ["loss"]),
        ({"coverage_5": 0.885}, []),
        ({"coverage_5": 0.86}, ["coverage"]),
        ({"coverage_volatile": 0.95}, ["coverage"]),
    ],
)
def test_gates_refuse_a_worse_loss_and_a_worse_coverage(changes, refusals):
    gates = scale_gates({**GOOD, **changes}, GOOD, "3")

    assert [gate.name for gate in gates if not gate.passed] == refusals


def test_a_coverage_that_is_off_passes_beside_one_that_is_as_far_off():
    off = {**GOOD, "coverage_20": 0.86}

    assert all(gate.passed for gate in scale_gates(off, {**GOOD, "coverage_20": 0.855}, "3"))


@pytest.mark.slow
def test_too_short_a_history_for_a_twin_is_refused(candidates, monkeypatch):
    unproven = replace(candidates[0], scores={"rows": 0.0}, baseline={"rows": 0.0})
    challenger = SimpleNamespace(data_end="2020-01-01", version=1)
    monkeypatch.setattr(
        scale_versions, "promote_by_gates", lambda registry, name, version, judge, by: judge(challenger, None)
    )

    decision = promote_scale(None, 1, unproven)
    assert not decision.promote
    assert "no out-of-sample forecasts" in decision.reason


GROUPS = {"market XNYS": {"rows": 900.0, "horizon": 1.0, "pinball": 0.2, "coverage": 0.9}}


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        ({"pinball": 0.203}, None),
        ({"pinball": 0.205}, "market XNYS: loss +2.5%"),
        ({"coverage": 0.881}, None),
        ({"coverage": 0.87}, "market XNYS: coverage 87.0%, not 90.0%"),
        ({"coverage": 0.87, "rows": 500.0}, "market XNYS: coverage 87.0%, not 90.0%"),
        ({"coverage": 0.875, "rows": 500.0}, None),  # chance alone may do that
        ({"coverage": 0.87, "horizon": 5.0}, None),  # so may it with a fifth of the rows
        ({"coverage": 0.84, "horizon": 5.0}, "market XNYS: coverage 84.0%, not 90.0%"),
    ],
)
def test_a_market_or_decile_that_gets_worse_is_refused_by_name(own, problem):
    gate = group_gate({"market XNYS": {**GROUPS["market XNYS"], **own}}, GROUPS, "3")

    assert gate.passed == (problem is None)
    assert gate.detail == (problem or "none of 1 markets and deciles is worse than by 3")


def test_a_market_that_is_missing_is_not_judged():
    assert group_gate({}, GROUPS, "3").passed
    assert group_gate({"market BVMF": GROUPS["market XNYS"]}, GROUPS, "3").passed
