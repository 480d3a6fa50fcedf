"""Versions of the scale model of all tickers in MLflow: register, promote by gates, roll back, load.

The artifact is ONNX: inputs (n, SCALE_INPUTS) to the factor of EWMA volatility, with the whole model in its metadata.
"""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zenith_core.errors import NotAvailable, TrainingError
from zenith_core.evaluation.scale_scores import SCORED, ewma_model, group_scores, relative_pinball, scale_scores
from zenith_core.names import SCALE
from zenith_core.risk.pooled_scale import MAX_EXPONENT, Pool
from zenith_core.risk.price_moves import SCALE_INPUTS, PriceMoves
from zenith_core.risk.scale_model import LEAST_TICKERS, ScaleModel, fit_scale_model
from zenith_pipelines.models.onnx_artifact import IR_VERSION, OPSET, metadata, with_metadata
from zenith_pipelines.production.promotion import promote_by_gates, restore_previous
from zenith_pipelines.production.promotion_gates import (
    COVERAGE_SLACK,
    LEAST_TOLERANCE,
    Decision,
    Gate,
    data_end_gate,
    decide,
    evidence_gate,
)
from zenith_pipelines.registry.model_registry import DAGSTER_RUN, ModelRegistry, Version
from zenith_pipelines.risk.scale_prior import prior_before

if TYPE_CHECKING:
    from onnx import ModelProto

TESTED_DAYS = 365  # the newest, which the judged twin of a candidate does not know
MAX_WORSE = 0.005  # of the pinball loss: the champion may have learned from those days
MAX_WORSE_GROUP = 0.02  # of a market or a decile of volatility, which has fewer rows
_LEVEL = 0.9


@dataclass(frozen=True)
class ScaleCandidate:
    """A scale model of all data, and the scores of a twin after its end, TESTED_DAYS earlier.

    cut:       the twin's last day, ISO
    scores:    of the twin, `scale_scores`
    baseline:  of EWMA volatility times the pool's own quantiles
    groups:     scores of the twin by market and by decile of volatility, `group_scores`
    holdout:    the rows that both were scored on
    """

    model: ScaleModel
    cut: str
    scores: Mapping[str, float]
    baseline: Mapping[str, float]
    groups: Mapping[str, Mapping[str, float]]
    holdout: Pool

    @property
    def metrics(self) -> dict[str, float]:
        """Return the scores, and `skill`: the relative reduction of the baseline's pinball loss."""
        metrics = {**self.scores, **{f"{name}_ewma": value for name, value in self.baseline.items() if name != "rows"}}
        return metrics | ({"skill": -relative_pinball(self.scores, self.baseline)} if self.scores["rows"] else {})


def learn_scale(histories: Iterable[PriceMoves], last: str) -> ScaleCandidate:
    """Fit the scale of all tickers, whose newest session is `last`, ISO, and its twin.

    Raises TrainingError for too small a pool.
    """
    cut = np.datetime64(last) - np.timedelta64(TESTED_DAYS, "D")
    pool, earlier, holdout = Pool(), Pool(until=cut), Pool(since=cut)
    for moves in histories:  # one at a time, because thousands do not fit into memory
        for each in (pool, earlier, holdout):
            each.add(moves)
    model = fit_scale_model(pool, "candidate")
    try:
        twin = fit_scale_model(earlier, "twin")
        scores, baseline = (scale_scores(each, holdout) for each in (twin, ewma_model(earlier)))
        groups = group_scores(twin, holdout)
    except TrainingError:
        scores = baseline = {"rows": 0.0}
        groups = {}
    return ScaleCandidate(model, str(cut), scores, baseline, groups, holdout)


def register_scale(registry: ModelRegistry, candidate: ScaleCandidate, dagster_run_id: str) -> Version:
    """Register the model as a new version of `scale`."""
    model = candidate.model
    onnx = scale_onnx(model)
    return registry.register(
        SCALE,
        onnx,
        metrics=candidate.metrics,
        params={"tickers": str(model.tickers), "rows": str(model.rows)},
        tags={"kind": SCALE, "data_end": model.data_end},
        provenance={"sha256": hashlib.sha256(onnx).hexdigest(), DAGSTER_RUN: dagster_run_id},
    )


def promote_scale(
    registry: ModelRegistry, version: int, candidate: ScaleCandidate, *, by: str | None = None
) -> dict[str, Any]:
    """Promote a version of `scale` if it passes its gates; record the decision either way. JSON-ready."""

    def judge(challenger: Version, champion: Version | None) -> Decision:
        return judge_scale(registry, candidate, challenger, champion)

    return promote_by_gates(registry, SCALE, version, judge, by=by)


def judge_scale(
    registry: ModelRegistry, candidate: ScaleCandidate, challenger: Version, champion: Version | None
) -> Decision:
    """Evaluate the gates of a candidate, which is registered as `challenger`."""
    opponent = load_scale(registry, champion) if champion else _prior(candidate.cut)
    sanity = [evidence_gate(int(candidate.scores["rows"]))]
    against = [*([data_end_gate(challenger.data_end, champion.data_end, challenger.data_end)] if champion else [])]
    if opponent and candidate.scores["rows"]:
        against += scale_gates(candidate.scores, scale_scores(opponent, candidate.holdout), opponent.version)
        against += [group_gate(candidate.groups, group_scores(opponent, candidate.holdout), opponent.version)]
    return decide(sanity, against or None, beats_naive=candidate.metrics.get("skill", 0.0) > 0)


def scale_gates(own: Mapping[str, float], other: Mapping[str, float], name: str) -> list[Gate]:
    """Compare the scores of a candidate's twin with those of the champion or prior `name`.

    The pinball loss may be worse by MAX_WORSE. A coverage must be within LEAST_TOLERANCE of 90 %, or not further off
    than the other's by more than COVERAGE_SLACK.
    """
    change = relative_pinball(own, other)
    figures = {"candidate": own["pinball_1"], "champion": other["pinball_1"], "change": change, "rows": own["rows"]}
    loss = Gate("loss", change <= MAX_WORSE, f"{change:+.1%} beside {name} on {own['rows']:.0f} sessions", figures)
    names = [*(f"coverage_{horizon}" for horizon in SCORED), "coverage_volatile"]
    off = {each: (abs(own[each] - _LEVEL), abs(other[each] - _LEVEL)) for each in names}
    passed = not any(mine > LEAST_TOLERANCE and mine > theirs + COVERAGE_SLACK for mine, theirs in off.values())
    detail = ", ".join(
        f"{own[each]:.1%} ({each.removeprefix('coverage_')}; {name} {other[each]:.1%})" for each in names
    )
    return [loss, Gate("coverage", passed, detail, {each: own[each] for each in names})]


def group_gate(own: Mapping[str, Mapping[str, float]], other: Mapping[str, Mapping[str, float]], name: str) -> Gate:
    """Compare a candidate's twin with the champion or prior `name` in each market and each decile of volatility.

    A group's pinball loss may be worse by MAX_WORSE_GROUP. Its coverage must be within its tolerance of 90 %, two
    standard errors of as many independent rows, or not further off than the other's by more than COVERAGE_SLACK;
    forecasts of h sessions overlap, so that one in h is independent. A market that the holdout lacks is not judged.
    """
    problems = [problem for group in own if group in other and (problem := _worse(group, own[group], other[group]))]
    detail = "; ".join(problems) or f"none of {len(own)} markets and deciles is worse than by {name}"
    return Gate("groups", not problems, detail, {group: dict(scores) for group, scores in own.items()})


def _worse(group: str, own: Mapping[str, float], other: Mapping[str, float]) -> str | None:
    change = own["pinball"] / other["pinball"] - 1
    if change > MAX_WORSE_GROUP:
        return f"{group}: loss {change:+.1%}"
    off, theirs = (abs(scores["coverage"] - _LEVEL) for scores in (own, other))
    tolerance = max(LEAST_TOLERANCE, 2 * (_LEVEL * (1 - _LEVEL) * own["horizon"] / own["rows"]) ** 0.5)
    if off > tolerance and off > theirs + COVERAGE_SLACK:
        return f"{group}: coverage {own['coverage']:.1%}, not {other['coverage']:.1%}"
    return None


def roll_back_scale(registry: ModelRegistry, *, reason: str | None) -> dict[str, Any]:
    """Restore the version of `scale` that was in Production before. Raises NotAvailable or Refused."""
    if not registry.exists or registry.production(SCALE) is None:
        raise NotAvailable(
            "no scale of this home is in Production, the packaged prior serves: "
            f"`zenith job learn_scale` learns one, from {LEAST_TICKERS} tickers or more"
        )

    def problem_of(version: Version) -> str | None:
        try:
            load_scale(registry, version)
        except NotAvailable as error:
            return str(error)
        return None

    return restore_previous(registry, SCALE, problem_of, reason=reason)


def load_scale(registry: ModelRegistry, version: Version) -> ScaleModel:
    """Return a registered scale model. Raises NotAvailable if this release cannot use it."""
    document = metadata(registry.load(SCALE, version.version))
    return replace(ScaleModel.from_dict(document), version=str(version.version))


def scale_for(registry: ModelRegistry, day: str) -> ScaleModel:
    """Return the scale for a forecast from `day`, ISO: Production's if it knows nothing later, else a packaged prior.

    The prior also if another release made Production's, for other inputs. Raises NotAvailable if there is neither.
    """
    champion = registry.production(SCALE) if registry.exists else None
    if champion and champion.data_end <= day:
        with suppress(NotAvailable):
            return load_scale(registry, champion)
    return prior_before(day)


def scale_onnx(model: ScaleModel) -> bytes:
    """Return the model as ONNX: `inputs` (n, SCALE_INPUTS) → `stretch` (n, ANCHORS)."""
    from onnx import TensorProto, helper, numpy_helper

    tensors = {
        "coefficients": model.coefficients.astype(np.float32),
        "low": np.float32(-MAX_EXPONENT),
        "high": np.float32(MAX_EXPONENT),
    }
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["inputs", "coefficients"], ["exponent"]),
            helper.make_node("Clip", ["exponent", "low", "high"], ["bounded"]),
            helper.make_node("Exp", ["bounded"], ["stretch"]),
        ],
        SCALE,
        [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["n", len(SCALE_INPUTS)])],
        [helper.make_tensor_value_info("stretch", TensorProto.FLOAT, ["n", model.coefficients.shape[1]])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()],
    )
    proto: ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="zenith"
    )
    return with_metadata(bytes(proto.SerializeToString()), model.to_dict())


def _prior(day: str) -> ScaleModel | None:
    try:
        return prior_before(day)
    except NotAvailable:
        return None
