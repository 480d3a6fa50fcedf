"""One model version ready to answer, made from its ONNX artifact; and which artifacts are refused."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version as installed_version
from typing import Any, NamedTuple, cast

from pydantic import ValidationError

from zenith_core.inference import METADATA_KEY, RunModel
from zenith_core.names import model_name
from zenith_serving.errors import ModelUnavailable
from zenith_serving.schemas.base import Finite
from zenith_serving.schemas.predictions import Skill

_DECISIVE = ("zenith", "onnxruntime")
"""Libraries whose version decides whether an artifact answers here as it did when its training checked it."""

_EVIDENCE = ("horizon", "beats_naive", "p_value", "mase", "skill", "coverage")
_SESSION_BYTES = 400_000  # beside three times the artifact; measured, docs/decisions/0025

_logger = logging.getLogger(__name__)


class Worth(NamedTuple):
    """What a model was worth out of sample at a horizon: the fields of Skill, and the coverage of its intervals."""

    skill: Mapping[str, Any]
    coverage: float | None


class _Evidence(Skill):
    coverage: Finite | None


@dataclass(frozen=True)
class ServedModel:
    """A model version ready to answer. `facts` is what serving needs of what its training wrote into the artifact.

    memory:  about how many bytes it takes
    """

    name: str
    version: int
    run: RunModel = field(repr=False)
    facts: Mapping[str, Any] = field(repr=False)
    memory: int = 0
    _worths: dict[int | None, Worth] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def kind(self) -> str:
        """`lstm` or `ensemble`."""
        return self.name.partition("-")[0]

    @property
    def feature_spec(self) -> str:
        """Hash of the features the model was trained on."""
        return str(self.facts["feature_spec"])

    @property
    def data_end(self) -> str:
        """The last session that the model was trained on, ISO; empty if the artifact does not say."""
        return str(self.facts.get("data_end", ""))

    def worth(self, horizon: int | None = None) -> Worth:
        """At the evaluated horizon nearest to `horizon`, or in all; looked up once. Raises ModelUnavailable if the
        artifact says what is no number.
        """
        if horizon not in self._worths:
            self._worths[horizon] = self._look_up(horizon)
        return self._worths[horizon]

    def _look_up(self, horizon: int | None) -> Worth:
        evidence = nearest_evidence(self.facts["evidence"], horizon)
        try:
            skill = _Evidence(**{name: evidence.get(name) for name in _Evidence.model_fields}).model_dump()
        except ValidationError:
            raise ModelUnavailable(f"version {self.version} of {self.name} does not say what it is worth") from None
        return Worth(skill, skill.pop("coverage"))


def nearest_evidence(evidence: Mapping[str, Any], horizon: int | None) -> dict[str, Any]:
    """The out-of-sample metrics at the evaluated horizon nearest to `horizon`; the headline if there is none."""
    by_horizon: Mapping[str, Any] = evidence.get("by_horizon") or {}
    if not by_horizon or horizon is None:
        return dict(evidence)
    nearest = min(by_horizon, key=lambda key: abs(int(key) - horizon))
    return {**by_horizon[nearest], "horizon": int(nearest)}


def open_model(name: str, version: int, onnx: bytes) -> ServedModel:
    """Make a session. Raises ModelUnavailable for an artifact that is broken, does not fit this service's libraries, or
    was made for another ticker or kind.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # looking up what was planned for a size takes longer than allocating
    options.enable_cpu_mem_arena = False  # it makes nothing faster here, and keeps 0.1 to 0.2 MB for each model
    this = f"version {version} of {name}"
    try:
        session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has no common base class for what it raises
        _logger.warning("%s cannot be loaded: %r", this, error)
        raise ModelUnavailable(f"{this} cannot be loaded by onnxruntime {ort.__version__}: {_line(error)}") from None
    try:
        facts = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
        made_for = model_name(facts["kind"], facts["ticker"])
        if not facts["feature_spec"]:
            raise KeyError("feature_spec")
    except (KeyError, TypeError, ValueError):
        raise ModelUnavailable(f"{this} cannot be loaded: it is not a model of ours") from None
    if made_for != name:
        raise ModelUnavailable(f"{this} is a model for another ticker or of another kind")
    if problem := misfit(facts.get("versions", {})):
        raise ModelUnavailable(f"{this} {problem}")
    return ServedModel(name, version, cast(RunModel, session.run), _needed(facts), 3 * len(onnx) + _SESSION_BYTES)


def misfit(versions: Mapping[str, str]) -> str | None:
    """Why an artifact that these library versions wrote is not for this service; None if it is, or if it does not say.

    An older minor version's artifact is answered as ever. A newer one's, or one of another major version, has not been
    checked against what is installed here.
    """
    for name in _DECISIVE:
        if name not in versions:
            continue
        theirs, ours = _parts(str(versions[name])), _parts(_installed(name))
        if theirs[:1] != ours[:1] or theirs > ours:
            return f"was written by {name} {versions[name]}, this service has {_installed(name)}: train it again"
    return None


@cache
def _installed(name: str) -> str:
    return installed_version(name)


def _parts(text: str) -> tuple[int, ...]:
    """Major and minor version; () if they are not numbers, which fits none."""
    parts = text.split(".")[:2]
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()


def _needed(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Of 25 kB of facts, the tenth that serving asks for: there are hundreds of models in memory."""
    evidence, study = facts.get("evidence", {}), facts.get("study", {})
    by_horizon = {key: _picked(one, _EVIDENCE) for key, one in (evidence.get("by_horizon") or {}).items()}
    return {
        **_picked(facts, ("kind", "ticker", "feature_spec", "data_end")),
        "evidence": {**_picked(evidence, _EVIDENCE), "by_horizon": by_horizon},
        "study": _picked(study, ("limits", "final")),
    }


def _picked(document: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: document[name] for name in names if name in document}


def _line(error: Exception) -> str:
    """The end of ONNX Runtime's message: it begins with where in its sources it came from."""
    return " ".join(str(error).split())[-120:]
