"""Load the features of users that `ZENITH_FEATURES` names: Python files, or entry points of `zenith.features`."""

from collections.abc import Collection, Sequence
from functools import cache
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from zenith_core.errors import UserError
from zenith_core.features.declaration import OwnFeature

ENTRY_POINTS = "zenith.features"
NAME = "FEATURES"
"""The variable of a file that holds its features."""


def select_features(text: str, reserved: Collection[str]) -> tuple[OwnFeature, ...]:
    """Return the features that a list such as `my_features.py,calendar` names, in its order.

    reserved:  names that a feature cannot have
    Raises UserError for a file or package that is missing, fails or holds anything else, and for a name used before.
    """
    features = [feature for part in text.split(",") if part.strip() for feature in _load(part.strip())]
    names = set(reserved)
    for feature in features:
        if feature.name in names:
            raise UserError(f"ZENITH_FEATURES: the name {feature.name} is in use: give the feature another one")
        names.add(feature.name)
    return tuple(features)


@cache
def _load(part: str) -> Sequence[OwnFeature]:
    """Return the features of one part; a process reads it once, because its inputs do not change."""
    try:
        content = _from_file(Path(part).expanduser()) if part.endswith(".py") else _from_package(part)
    except UserError:
        raise
    except Exception as error:  # a user's code may raise anything
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"ZENITH_FEATURES: {part} cannot be loaded: {type(error).__name__}: {reason}") from None
    features = content if isinstance(content, list | tuple) else [content]
    if not features or not all(isinstance(feature, OwnFeature) for feature in features):
        raise UserError(f"ZENITH_FEATURES: {part} holds no OwnFeature: a file needs {NAME} = [OwnFeature(...), ...]")
    return features


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"ZENITH_FEATURES: there is no file {path}")
    spec = spec_from_file_location(f"zenith_features_{path.stem}", path.resolve())
    assert spec
    assert spec.loader  # its name ends with .py
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, NAME, None)


def _from_package(name: str) -> Any:
    packages = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name not in packages:
        choices = f"there are {', '.join(sorted(packages))}" if packages else "no installed package has one"
        raise UserError(f"ZENITH_FEATURES: {name} is no file that ends with .py and no entry point: {choices}")
    return packages[name].load()
