"""Check the configuration of several kinds of model, as requests and commands write it."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from zenith_core.model_kinds.table import MODEL_KINDS, Kind

Configuration = Mapping[Kind, Mapping[str, Any]]
"""Options by kind of model, such as {"lstm": {"units": 32}}."""


def problem_of(configuration: Configuration) -> str | None:
    """Return in one line what is wrong with the first wrong option, or None. Unknown names are not repeated."""
    for kind, options in configuration.items():
        if kind not in MODEL_KINDS:
            return f"the kinds of model are {', '.join(MODEL_KINDS)}"
        declared = MODEL_KINDS[kind].options
        try:
            declared.model_validate(dict(options), strict=True)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            name = str(first["loc"][0]) if first["loc"] else ""
            if name not in declared.model_fields:
                return f"{kind} takes {', '.join(declared.model_fields)}"
            return f"{kind}.{name}: {first['msg']}"
    return None
