"""`zenith doctor`: check every component and suggest fixes."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from zenith_cli.health_checks import CHECKS, DoctorContext, Finding, State
from zenith_core.errors import ZenithError
from zenith_core.outages import describe_error
from zenith_pipelines.patience import waiting_for
from zenith_pipelines.settings import Settings
from zenith_serving.settings import read_settings

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


def run_doctor(url: str, *, as_json: bool) -> int:
    """Run every check and print the findings. Return 1 if any failed. Raises UserError for invalid settings."""
    findings = {}
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for part, finding in _run_checks(DoctorContext(Settings(), read_settings(), url.rstrip("/"))):
        findings[part] = finding
        if not as_json:
            _show(console, part, finding)
    failures, warnings = _parts(findings, "failed"), _parts(findings, "warning")
    if as_json:
        parts = [{"part": part, **asdict(finding)} for part, finding in findings.items()]
        print(json.dumps({"well": not failures, "parts": parts}, indent=2))
    else:
        summary = [
            f"{title}: {', '.join(parts)}" for title, parts in (("failed", failures), ("warnings", warnings)) if parts
        ]
        console.print("; ".join(summary) or "all checks passed")
    return 1 if failures else 0


def _parts(findings: Mapping[str, Finding], state: State) -> list[str]:
    return [part for part, finding in findings.items() if finding.state == state]


def _run_checks(context: DoctorContext) -> Iterator[tuple[str, Finding]]:
    for part, check in CHECKS.items():
        logging.disable()  # the finding says everything that a log line would
        try:
            with waiting_for(f"the check of {part}"):
                finding = check(context)
        except ZenithError as error:
            finding = Finding("failed", str(error))
        except Exception as error:  # an unexpected error must not hide the other findings
            text = describe_error(error) or f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            finding = Finding("failed", text)
        finally:
            logging.disable(logging.NOTSET)
        yield part, finding


def _show(console: Console, part: str, finding: Finding) -> None:
    mark, colour = _MARKS[finding.state]
    console.print(Text(f"{mark} ", style=colour) + Text(f"{part:<16} {finding.says}"))
    if finding.remedy:
        console.print(Text(f"{'':18} → {finding.remedy}", style="dim"))
