"""Generate docs/reference from the code: `make reference`.

Pages: settings, endpoints, assets with jobs, schedules and sensors, and commands. tests/test_reference.py fails if the
committed pages differ.
"""

import html
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic_settings import BaseSettings

from docs.endpoints import endpoints_page
from docs.markdown import MADE, default, page, table
from docs.rooms import PAGE as ARCHITECTURE
from docs.rooms import architecture_page
from zenith_cli.commands import app
from zenith_core.asset_selection import STAGES
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.definitions import definitions
from zenith_pipelines.settings import Settings as PipelinesSettings
from zenith_serving.app import create_app
from zenith_serving.settings import Settings as ServingSettings

FOLDER = Path(__file__).parent / "reference"
READERS: dict[str, type[BaseSettings]] = {"pipelines": PipelinesSettings, "serving": ServingSettings}

_SETTINGS = (
    "Environment variables, all optional. `zenith serve` reads those of serving, `zenith predict` and `zenith up` both "
    "kinds, everything else those of the pipelines. An invalid value stops a command at its start with one line."
)
_ASSETS = (
    "Each ticker is a partition. Assets are listed in the order in which a job computes them. If a blocking check "
    "fails, downstream assets stay unchanged; [the runbook](../runbook.md#asset-checks) has the remedies. "
    "Crons are the defaults of [their settings](settings.md)."
)


def main() -> None:
    """Write the pages with default settings, regardless of the environment."""
    for name in setting_names():
        os.environ.pop(name, None)
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
    ARCHITECTURE.write_text(architecture_page())


def setting_names() -> list[str]:
    """Return the environment variables of all settings, in page order."""
    return list(dict.fromkeys(name.upper() for settings in READERS.values() for name in settings.model_fields))


def pages() -> dict[str, str]:
    """Return the text of each page by file name."""
    return {
        "settings.md": settings_page(),
        "endpoints.md": endpoints_page(create_app(ServingSettings()).openapi()),
        "assets.md": assets_page(),
        "commands.md": commands_page(),
    }


def settings_page() -> str:
    """Return a page with the meaning, default and readers of every environment variable."""
    rows = []
    for name in setting_names():
        by_reader = {reader: settings.model_fields.get(name.lower()) for reader, settings in READERS.items()}
        fields = {reader: field for reader, field in by_reader.items() if field}
        texts = dict.fromkeys(field.description or "" for field in fields.values())
        first = next(iter(fields.values()))
        rows.append((f"`{name}`", " ".join(texts), default(first.default), ", ".join(fields)))
    return page("Settings", _SETTINGS, table(("variable", "meaning", "default", "read by"), rows))


def assets_page() -> str:
    """Return a page with every asset, its checks and config, and every job, schedule and sensor."""
    location = definitions(Progress())
    repository = location.get_repository_def()
    specs = {spec.key.to_user_string(): spec for spec in location.resolve_all_asset_specs()}
    order = [*STAGES, *sorted(set(specs) - set(STAGES))]
    parts = ["## Assets"]
    for name in order:
        op = repository.assets_defs_by_key[specs[name].key].op
        parts += [f"### {name}", *_asset(specs[name], order), _config(op), _checks(repository, name)]
    parts += ["## Jobs", *_jobs(repository, order)]
    parts += ["## Schedules", _schedules(repository), "## Sensors", _sensors(repository)]
    return page("Assets, checks, jobs, schedules and sensors", _ASSETS, *parts)


def _asset(spec: dg.AssetSpec, order: Sequence[str]) -> list[str]:
    deps = sorted((dep.asset_key.to_user_string() for dep in spec.deps), key=order.index)
    inputs = ", ".join(f"[{dep}](#{dep})" for dep in deps) or "a price source"
    facts = f"Group `{spec.group_name}`. Inputs: {inputs}. Kinds: {', '.join(sorted(spec.kinds))}."
    return [_line(spec.description), facts]


def _checks(repository: dg.RepositoryDefinition, asset: str) -> str:
    keys = sorted(key for key in repository.asset_checks_defs_by_key if key.asset_key.to_user_string() == asset)
    specs = [repository.asset_checks_defs_by_key[key].get_spec_for_check_key(key) for key in keys]
    rows = [(f"`{one.name}`", "blocks" if one.blocking else "warns", one.description or "") for one in specs]
    return table(("check", "if it fails", "condition"), rows)


def _config(op: Any) -> str:
    """Return a table of the run config of an asset or op."""
    fields = getattr(op.config_schema.config_type, "fields", {}) if op.config_schema else {}
    rows = [
        (f"`{name}`", default(field.default_value if field.default_provided else None), field.description or "")
        for name, field in fields.items()
    ]
    return table((f"config of `{op.name}`", "default", "meaning"), rows)


def _jobs(repository: dg.RepositoryDefinition, order: Sequence[str]) -> Iterable[str]:
    for job in _by_name(repository.get_all_jobs()):
        if job.name.startswith("__"):  # Dagster's own
            continue
        yield f"### {job.name}"
        yield _line(job.description)
        if keys := job.asset_layer.executable_asset_keys:
            yield f"Computes {', '.join(sorted((key.to_user_string() for key in keys), key=order.index))}."
        else:
            yield from (_config(node.definition) for node in job.graph.nodes)


def _schedules(repository: dg.RepositoryDefinition) -> str:
    rows = [
        (f"`{one.name}`", f"`{one.cron_schedule}`", f"`{one.job_name}`", one.description or "")
        for one in _by_name(repository.schedule_defs)
    ]
    return table(("schedule", "cron", "launches", "description"), rows)


def _sensors(repository: dg.RepositoryDefinition) -> str:
    rows = [
        (
            f"`{one.name}`",
            f"{one.minimum_interval_seconds} s",
            ", ".join(f"`{target.job_name}`" for target in one.targets),
            one.description or "",
        )
        for one in _by_name(repository.sensor_defs)
    ]
    return table(("sensor", "interval", "launches", "description"), rows)


def commands_page() -> str:
    """Return a page with every command, its arguments and options, from typer's `utils docs`."""
    from typer.cli import get_docs_for_click
    from typer.main import get_command

    command = get_command(app)
    context = command.make_context("zenith", [], resilient_parsing=True)
    text = html.unescape(get_docs_for_click(obj=command, ctx=context, name="zenith"))
    heading, _, rest = text.partition("\n")
    return f"{heading}\n\n{MADE}\n{rest.rstrip()}\n"


def _by_name(definitions: Iterable[Any]) -> list[Any]:
    return sorted(definitions, key=lambda one: str(one.name))


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


if __name__ == "__main__":
    main()
