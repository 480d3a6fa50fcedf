"""The options `--config NAME=VALUE` of a command."""

import json
from collections.abc import Sequence
from typing import Any

from zenith_core.errors import UserError
from zenith_core.model_kinds.configuration import Configuration, problem_of


def parse_models(config: Sequence[str]) -> Configuration:
    """Parse options of models alone, such as `lstm.units=32`. Raises UserError."""
    values = parse_config(config)
    models: Configuration = values.pop("models", {})
    if values:
        raise UserError("--config: expected MODEL.OPTION=VALUE, for example lstm.units=32")
    if problem := problem_of(models):
        raise UserError(f"--config: {problem}")
    return models


def parse_config(config: Sequence[str]) -> dict[str, Any]:
    """Parse options NAME=VALUE; `lstm.units=32` is the option `units` of the model `lstm`. Raises UserError."""
    values: dict[str, Any] = {}
    for key, value in map(_parse_option, config):
        kind, dot, option = key.partition(".")
        if dot:
            values.setdefault("models", {}).setdefault(kind, {})[option] = value
        else:
            values[key] = value
    return values


def _parse_option(text: str) -> tuple[str, Any]:
    """Parse `epochs=5` to ("epochs", 5). A value that is not JSON stays text. Raises UserError."""
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise UserError("--config: expected NAME=VALUE, for example epochs=5")
    try:
        return key.strip(), json.loads(value)
    except ValueError:
        return key.strip(), value
