"""`zenith doctor`: look at each part, and say how to mend what is not well."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from zenith_cli.health_checks import CHECKUPS, Finding, Patient, State
from zenith_core.errors import ZenithError
from zenith_pipelines.settings import Settings
from zenith_serving.settings import read_settings

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


def look(url: str, *, as_json: bool) -> int:
    """Print what is found of each part; return 1 if any has failed. Raises UserError for settings that are wrong."""
    found = {}
    console = Console(highlight=False, soft_wrap=True)
    for part, finding in _findings(Patient(Settings(), read_settings(), url.rstrip("/"))):
        found[part] = finding
        if not as_json:
            _show(console, part, finding)
    failed = _parts(found, "failed")
    if as_json:
        parts = [{"part": part, **asdict(finding)} for part, finding in found.items()]
        print(json.dumps({"well": not failed, "parts": parts}, indent=2))
    else:
        pairs = ((failed, "failed"), (_parts(found, "warning"), "to look at"))
        console.print("; ".join(f"{', '.join(parts)} {word}" for parts, word in pairs if parts) or "all is well")
    return 1 if failed else 0


def _parts(found: Mapping[str, Finding], state: State) -> list[str]:
    return [part for part, finding in found.items() if finding.state == state]


def _findings(patient: Patient) -> Iterator[tuple[str, Finding]]:
    for part, checkup in CHECKUPS.items():
        logging.disable()  # of what is away, all is said by its finding
        try:
            finding = checkup(patient)
        except ZenithError as error:
            finding = Finding("failed", str(error))
        except Exception as error:  # what nobody thought of must not hide the other parts
            finding = Finding("failed", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
        finally:
            logging.disable(logging.NOTSET)
        yield part, finding


def _show(console: Console, part: str, finding: Finding) -> None:
    mark, colour = _MARKS[finding.state]
    console.print(Text(f"{mark} ", style=colour) + Text(f"{part:<16} {finding.says}"))
    if finding.remedy:
        console.print(Text(f"{'':18} → {finding.remedy}", style="dim"))
