"""Open a model version's ONNX artifact; refuse those that this service may not serve."""

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version as installed_version
from typing import Any, cast

from zenith_core.inference import METADATA_KEY, RunModel
from zenith_core.model_kinds.options import horizon_of, window_of
from zenith_core.model_kinds.table import task_of
from zenith_core.model_kinds.tasks import TASKS
from zenith_core.names import model_name
from zenith_serving.errors import ModelUnavailable

_DECISIVE = ("zenith", "onnxruntime")
"""Libraries whose version decides whether an artifact answers here as it did when training checked it."""

_EVIDENCE = ("horizon", "beats_naive", "p_value", "mase", "skill", "coverage")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    """An ONNX Runtime session with the metadata that serving needs of its artifact, `facts`."""

    name: str
    version: int
    run: RunModel = field(repr=False)
    facts: Mapping[str, Any] = field(repr=False)


def open_model(name: str, version: int, onnx: bytes, earlier_tickers: Collection[str] = ()) -> LoadedModel:
    """Make a session.

    earlier_tickers: former names of the ticker, which artifacts of before its rename hold

    Raises ModelUnavailable for an artifact that is broken, does not fit this service's libraries, or was made for
    another ticker or kind.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = options.enable_cpu_mem_arena = False  # memory for a second run, which never comes
    label = f"version {version} of {name}"
    try:
        session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the errors of ONNX Runtime have no common base class
        _logger.warning("%s cannot be loaded: %r", label, error)
        raise ModelUnavailable(f"{label} cannot be loaded by onnxruntime {ort.__version__}: {_line(error)}") from None
    try:
        facts = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
        names = {model_name(facts["kind"], ticker) for ticker in earlier_tickers} | {name}
        artifact_name = model_name(facts["kind"], facts["ticker"])
        if not facts["feature_spec"]:
            raise KeyError("feature_spec")
        task = task_of(facts["kind"], facts.get("task"))
    except (KeyError, TypeError, ValueError):
        raise ModelUnavailable(f"{label} cannot be loaded: it is not a model of ours") from None
    if artifact_name not in names or facts["kind"] != name.partition("-")[0]:
        raise ModelUnavailable(f"{label} is a model for another ticker or of another kind")
    if task is None:
        raise ModelUnavailable(f"{label} has a task that this service does not know: {', '.join(TASKS)} are known")
    if problem := misfit(facts.get("versions", {})):
        raise ModelUnavailable(f"{label} {problem}")
    return LoadedModel(name, version, cast(RunModel, session.run), _needed(facts))


def stored_facts(onnx: bytes) -> dict[str, Any]:
    """Return all facts in an artifact's metadata. Raises ModelUnavailable if they cannot be read."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # nothing is computed
    try:
        session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        facts: dict[str, Any] = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    except Exception as error:  # the errors of ONNX Runtime have no common base class
        _logger.debug("metadata: %r", error)
        raise ModelUnavailable("the model's file cannot be read, or is not a model of ours") from None
    return facts


def misfit(versions: Mapping[str, str]) -> str | None:
    """Return why an artifact written by these library versions is refused, or None.

    Older minor versions are accepted. A newer version, or another major one, was not checked against the libraries
    installed here.
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
    """Major and minor version; () if they are not numbers, which matches no version."""
    parts = text.split(".")[:2]
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()


def _needed(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The tenth of 25 kB of metadata that serving needs: memory holds hundreds of models."""
    evidence, study = facts.get("evidence", {}), facts.get("study", {})
    by_horizon = {key: _pick(figures, _EVIDENCE) for key, figures in (evidence.get("by_horizon") or {}).items()}
    return {
        **_pick(facts, ("kind", "task", "ticker", "feature_spec", "data_end")),
        "evidence": {**_pick(evidence, _EVIDENCE), "by_horizon": by_horizon},
        "window": window_of(facts),
        "horizon": horizon_of(facts),
        "study": _pick(study, ("limits", "final")),
    }


def _pick(document: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: document[name] for name in names if name in document}


def _line(error: Exception) -> str:
    """The end of ONNX Runtime's message, which begins with a place in its sources."""
    return " ".join(str(error).split())[-120:]
