"""An alert: its kind for programs, its text for people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from zenith_core.words import Text
from zenith_pipelines.alert_receivers import Kind


@dataclass(frozen=True)
class Alert:
    """An event: a stable `kind` for programs, a line of `text` for people, and its `facts`, such as the ticker.

    lines:  more of the text, for people only
    """

    kind: Kind | Literal["test"]
    text: Text
    facts: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[Text, ...] = ()
