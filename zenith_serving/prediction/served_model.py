"""A model version and its forecast from one snapshot: numbers and metadata, no session (docs/decisions/0041)."""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import ValidationError

from zenith_core.errors import NotAvailable
from zenith_core.forecasting.abstention import SignalDecision, decide_latest_signal
from zenith_core.inference import (
    PriceForecast,
    forecast_points,
    forecast_prices,
    in_served_bands,
    signal_probabilities,
)
from zenith_core.model_kinds.table import Kind, known_task
from zenith_core.model_kinds.tasks import Task
from zenith_core.risk.forecast_distribution import ForecastDistribution
from zenith_core.snapshot import ServingSnapshot
from zenith_serving.errors import DistributionUnavailable, FeatureMismatch, ModelUnavailable
from zenith_serving.prediction.loaded_model import LoadedModel
from zenith_serving.schemas.base import Finite
from zenith_serving.schemas.predictions import AnswerEvidence, PricePoint, Probabilities, Skill


class OutOfSampleSkill(NamedTuple):
    """Skill at a horizon, and the coverage of the intervals."""

    skill: Skill
    coverage: float | None


@dataclass(frozen=True)
class SignalForecast:
    """Probability of each of SIGNALS, and the decision on fresh and on stale data.

    probabilities:  None without a model
    """

    probabilities: Probabilities | None
    fresh: SignalDecision
    stale: SignalDecision


Forecast = tuple[PricePoint, ...] | SignalForecast
"""HORIZONS price points, or a signal."""


class KeptText(NamedTuple):
    """An answer as JSON, but for its time.

    evidence:       in the answer
    before, after:  the text on both sides of the time
    """

    evidence: AnswerEvidence | None
    before: bytes
    after: bytes


class _Evidence(Skill):
    coverage: Finite | None


@dataclass(frozen=True)
class ServedModel:
    """A model version and its forecast; or, without a version, what can be said without a model.

    facts:     the part of the artifact's metadata that serving needs
    current:   the ticker's snapshot when the forecast was computed
    snapshot:  the snapshot of the model's feature spec in it, from which the forecast is
    result:    the forecast, or the error to raise because there is none
    bands:     the distribution behind the bands of a price forecast, and behind all that is said without a model;
               None if the bands are the model's own, because there is no distribution after the forecast's origin
    """

    name: str
    version: int | None
    facts: Mapping[str, Any] = field(repr=False)
    current: ServingSnapshot = field(repr=False)
    snapshot: ServingSnapshot = field(repr=False)
    result: Forecast | ModelUnavailable = field(repr=False)
    bands: ForecastDistribution | None = field(default=None, repr=False)
    last_text: dict[tuple[int, tuple[float, ...], int], KeptText] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """The last answer by horizon, quantiles and age of the data in sessions: one at most."""
    _skills: dict[int | None, OutOfSampleSkill] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def kind(self) -> Kind:
        """The kind of model, as `lstm`."""
        return self.name.partition("-")[0]

    @cached_property
    def task(self) -> Task:
        """The task of its kind."""
        return known_task(self.kind, self.facts.get("task"))

    @property
    def signal_horizon(self) -> int | None:
        """The sessions ahead of its signals; None without a version."""
        return None if self.version is None else int(self.facts["horizon"])

    @property
    def scale_version(self) -> str | None:
        """The version of the scale behind the bands; None if there is none behind them."""
        return self.bands.scale_version if self.bands else None

    @cached_property
    def data_version(self) -> str:
        """The version of the data behind the forecast, and that of its bands."""
        data = self.snapshot.data_version
        return f"{data}:{self.bands.scale_version}:{self.bands.data_version}" if self.bands else data

    @property
    def distribution(self) -> ForecastDistribution:
        """The distribution of returns after the origin of the forecast. Raises DistributionUnavailable without one."""
        if self.bands is None:
            raise DistributionUnavailable(self.snapshot.ticker, self.current.no_distribution)
        return self.bands

    @property
    def forecast(self) -> Forecast:
        """The forecast. Raises ModelUnavailable or FeatureMismatch if the model has none from this snapshot."""
        if isinstance(self.result, ModelUnavailable):
            raise type(self.result)(*self.result.args)  # a new one: each raise adds to an exception's traceback
        return self.result

    def skill_at(self, horizon: int | None = None) -> OutOfSampleSkill:
        """Return the skill at the evaluated horizon nearest to `horizon`, or over all; validated once.

        The coverage is of the bands that are served: from the record of the data where they have a distribution, else
        from the evidence of the model. Raises ModelUnavailable if the artifact's evidence is not numbers.
        """
        if horizon not in self._skills:
            self._skills[horizon] = self._validated_skill(horizon)
        return self._skills[horizon]

    def _validated_skill(self, horizon: int | None) -> OutOfSampleSkill:
        evidence = nearest_evidence(self.facts["evidence"], horizon)
        try:
            figures = _Evidence(**{name: evidence.get(name) for name in _Evidence.model_fields})
        except ValidationError:
            raise ModelUnavailable(
                f"the out-of-sample skill of {self.name} version {self.version} is not a number: train it again"
            ) from None
        coverage = figures.coverage if self.bands is None else _band_coverage(self.current.risk_record, horizon)
        return OutOfSampleSkill(Skill(**figures.model_dump(exclude={"coverage"})), coverage)


def nearest_evidence(evidence: Mapping[str, Any], horizon: int | None) -> dict[str, Any]:
    """Return the out-of-sample metrics at the evaluated horizon nearest to `horizon`; the headline if there is none."""
    by_horizon: Mapping[str, Any] = evidence.get("by_horizon") or {}
    if not by_horizon or horizon is None:
        return dict(evidence)
    nearest = min(by_horizon, key=lambda key: abs(int(key) - horizon))
    return {**by_horizon[nearest], "horizon": int(nearest)}


def _band_coverage(record: Mapping[str, Any], horizon: int | None) -> float | None:
    """Return the coverage at the scored horizon nearest to `horizon`; None if there is none that this release reads."""
    with suppress(KeyError, TypeError, ValueError):
        nearest = min(record["horizons"], key=lambda key: abs(int(key) - (horizon or 1)))
        coverage = float(record["horizons"][nearest]["band"]["coverage"])
        return coverage if 0 <= coverage <= 1 else None
    return None


def forecast_once(model: LoadedModel, snapshot: ServingSnapshot) -> ServedModel:
    """Run the model on the snapshot, and keep its forecast or the reason why there is none."""
    inputs = snapshot.for_spec(model.facts["feature_spec"])
    result: Forecast | ModelUnavailable
    try:
        result = _forecast(model, _require_fit(model, snapshot, inputs), _bands(model, snapshot, inputs))
    except ModelUnavailable as error:
        result = error.with_traceback(None)
    bands = _bands(model, snapshot, inputs)
    return ServedModel(model.name, model.version, model.facts, snapshot, inputs or snapshot, result, bands)


def _require_fit(model: LoadedModel, snapshot: ServingSnapshot, inputs: ServingSnapshot | None) -> ServingSnapshot:
    """The inputs of the model's feature spec. Raises FeatureMismatch if there are none, or the model is newer."""
    label = f"{model.name} version {model.version}"
    if inputs is None:
        specs = ", ".join((snapshot.feature_spec, *snapshot.other_specs))
        raise FeatureMismatch(
            f"{label} was trained on features {model.facts['feature_spec']}, the data of {snapshot.ticker} holds"
            f" {specs}: train it again"
        )
    task = known_task(model.facts["kind"], model.facts.get("task"))
    if task == "price" and len(inputs.window) < model.facts["window"]:
        raise FeatureMismatch(
            f"{label} needs {model.facts['window']} sessions, the data of {snapshot.ticker} hold {len(inputs.window)}:"
            " refresh them"
        )
    data_end = str(model.facts.get("data_end", ""))  # the last session of the training prices, ISO
    if data_end > inputs.as_of.isoformat():
        raise FeatureMismatch(
            f"{label} was trained on prices up to {data_end}, the data of {inputs.ticker} end on {inputs.as_of}:"
            " its forecast would use the future; train it again on these data"
        )
    return inputs


def _bands(
    model: LoadedModel, snapshot: ServingSnapshot, inputs: ServingSnapshot | None
) -> ForecastDistribution | None:
    """The distribution for the bands of a price model: none from an origin that the snapshot has left behind."""
    task = known_task(model.facts["kind"], model.facts.get("task"))
    return snapshot.distribution_from(inputs.as_of) if inputs and task == "price" else None


def _forecast(model: LoadedModel, inputs: ServingSnapshot, bands: ForecastDistribution | None) -> Forecast:
    """Raises ModelUnavailable if the forecast holds NaN or infinity, or a signal cannot be decided."""
    label = f"{model.name} version {model.version}"
    if known_task(model.facts["kind"], model.facts.get("task")) == "price":
        forecast = forecast_prices(model.run, inputs, model.facts["window"])
        _require_finite(float(forecast.price.sum() + forecast.quantiles.sum()), label)
        return price_points(inputs, in_served_bands(forecast, bands, inputs.close))
    probabilities = signal_probabilities(model.run, inputs)
    _require_finite(sum(probabilities.values()), label)
    try:
        fresh, stale = (
            decide_latest_signal(probabilities, inputs, model.facts, stale=stale) for stale in (False, True)
        )
    except NotAvailable as error:
        raise ModelUnavailable(f"{label} cannot give a signal: {error}") from None
    return SignalForecast(Probabilities(**probabilities), fresh, stale)


def price_points(snapshot: ServingSnapshot, forecast: PriceForecast) -> tuple[PricePoint, ...]:
    """Return a forecast from a snapshot as the points of an answer."""
    return tuple(PricePoint(**point) for point in forecast_points(snapshot, forecast))


def _require_finite(total: float, label: str) -> None:
    if not math.isfinite(total):
        raise ModelUnavailable(f"{label} forecast a value that is not a number: train it again")
