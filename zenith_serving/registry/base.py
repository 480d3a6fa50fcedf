"""The interface of a model registry, and the parts that its two backends share.

Nothing is cached: a cached listing could name a version as Production that no longer is (docs/decisions/0027).
"""

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from zenith_core.evaluation.summary_metrics import METRICS
from zenith_core.names import PRODUCTION, PROVENANCE, ROLLED_BACK_TO, SCALE, unpacked
from zenith_serving.errors import ModelUnavailable, RegistryUnavailable

TIMEOUT_SECONDS = 2.0
CHECKSUM_TAG = "sha256"  # of the model file, in the provenance of each version
MODEL_FILE = "model.onnx"  # MLflow's name for it
EXPERIMENT = "zenith"  # of every run of the pipelines
DECISION_PREFIX = "decision/"  # of the run tags that record decisions about the run's version
TAGS = (
    *("task", "data_end", "data_version", "feature_spec", "code_version", "libraries", "trials", "leakage"),
    *("decision", "reason", "decided_at", "decided_by", ROLLED_BACK_TO),
    PROVENANCE,
)

_logger = logging.getLogger(__name__)

Alias = tuple[str, int, str]
"""Model name, version and alias."""


@dataclass(frozen=True)
class KnownVersion:
    """A model version in MLflow, with the tags and metrics that are listed. A NaN or infinite metric is None."""

    name: str
    version: int
    created_ms: int
    aliases: frozenset[str] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float | None] = field(default_factory=dict)


class ModelRegistry(Protocol):
    """A model registry, read only. Every method raises RegistryUnavailable."""

    def production(self) -> dict[str, int]:
        """Return the Production version of each model name."""

    def fetch(self, name: str, version: int) -> bytes:
        """Return a version's ONNX file, checked by its SHA-256. Raises ModelUnavailable."""

    def names(self, ticker: str | None = None) -> list[str]:
        """Return the names of all models, or of those whose name ends in -TICKER, in no order."""

    def versions(self, ticker: str | None = None, names: Sequence[str] | None = None) -> list[KnownVersion]:
        """Return the versions of all models, in no order.

        ticker:  only of models whose name ends in -TICKER
        names:   only of these models, if it is not None
        """

    def decisions(self, ticker: str | None = None) -> dict[str, list[dict[str, Any]]]:
        """Return the records of all decisions by model name, in no order; deleted versions included.

        Of all models, or of those whose name ends in -TICKER.
        """


@contextmanager
def intelligible(registry: str) -> Generator[None]:
    """Raise RegistryUnavailable if the body cannot make sense of an answer of the registry."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        _logger.debug("%s: %r", registry, error)
        raise RegistryUnavailable(f"the {registry} gives answers that are not MLflow's") from None


def production_versions(aliases: Iterable[Alias]) -> dict[str, int]:
    """Return the version with the Production alias by model name; the scale of all tickers answers no request."""
    return {name: version for name, version, alias in aliases if alias == PRODUCTION and name != SCALE}


def aliases_by_version(aliases: Iterable[Alias]) -> defaultdict[tuple[str, int], set[str]]:
    """Group aliases by model name and version."""
    groups = defaultdict[tuple[str, int], set[str]](set)
    for name, version, alias in aliases:
        groups[name, version].add(alias)
    return groups


def decisions_by_model(rows: Iterable[tuple[str, str]]) -> dict[str, list[dict[str, Any]]]:
    """Group pairs of a model name and a JSON record by name."""
    records = defaultdict[str, list[dict[str, Any]]](list)
    for name, text in rows:
        records[name].append(json.loads(text))
    return records


def quoted(names: Iterable[str]) -> str:
    """Return our own names as a SQL list. Not for input: nothing is escaped."""
    return "({})".format(", ".join(f"'{name}'" for name in sorted(names)))


def name_pattern(ticker: str | None) -> str:
    """Return a SQL pattern for the names of a ticker's models. A validated ticker has no special characters."""
    return "%" if ticker is None else f"%-{ticker}"


def listed_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Keep the tags that are listed, those of the provenance too."""
    tags = unpacked(tags)
    return {key: tags[key] for key in TAGS if key in tags}


def listed_metrics(metrics: Mapping[str, float | None]) -> dict[str, float | None]:
    """Keep the metrics that are listed."""
    return {key: metrics[key] for key in METRICS if key in metrics}


def read_artifact(location: str) -> bytes:
    """Read the ONNX file in a model folder: a path, a file: URI, or a URI that fsspec can open.

    Raises ModelUnavailable if the file does not exist, RegistryUnavailable if it cannot be read.
    """
    parts = urlsplit(location)
    try:
        if parts.scheme in ("", "file"):
            return (Path(unquote(parts.path) if parts.scheme else location) / MODEL_FILE).read_bytes()
        import fsspec

        content: bytes = fsspec.open(f"{location.rstrip('/')}/{MODEL_FILE}", "rb").open().read()
        return content
    except FileNotFoundError:
        raise ModelUnavailable("the registry's model file is gone") from None
    except (OSError, ValueError, ImportError) as error:
        _logger.debug("artifact: %r", error)
        raise RegistryUnavailable("the registry's model files cannot be read from here") from None


def check_checksum(content: bytes, tags: Mapping[str, str]) -> bytes:
    """Return the content if its SHA-256 is that of the version's tags. Early versions have none.

    Raises ModelUnavailable, also if the tag that holds it cannot be read.
    """
    tags = unpacked(tags)
    if PROVENANCE in tags:
        raise ModelUnavailable(f"the registry's tag {PROVENANCE} of the version is not as Zenith wrote it")
    checksum = tags.get(CHECKSUM_TAG)
    if checksum and hashlib.sha256(content).hexdigest() != checksum:
        raise ModelUnavailable("the registry's model file does not match its checksum")
    return content
