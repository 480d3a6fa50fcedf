"""`ZENITH_DAGSTER_CONFIG`: a YAML file laid over dagster.yaml, which says how one deployment differs from a laptop."""

import json
from pathlib import Path
from typing import Any

import yaml

from zenith_core.errors import UserError


def merge_overrides(configuration: bytes, path: Path) -> bytes:
    """The configuration with the file at `path` over it: what the file says counts, what it does not say stays.

    Raises UserError for a file that cannot be read or is no mapping.
    """
    try:
        over = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise UserError(f"ZENITH_DAGSTER_CONFIG {path} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise UserError(f"ZENITH_DAGSTER_CONFIG {path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(over, dict):
        raise UserError(f"ZENITH_DAGSTER_CONFIG {path} must have keys of dagster.yaml, such as run_launcher")
    return json.dumps(_merged(yaml.safe_load(configuration), over), indent=1).encode()  # JSON is YAML


def _merged(under: Any, over: Any) -> Any:
    if not (isinstance(under, dict) and isinstance(over, dict)):
        return over
    return under | {key: _merged(under.get(key), value) for key, value in over.items()}
