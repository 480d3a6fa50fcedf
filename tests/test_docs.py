"""What the README says is there, and what is there the README says."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from zenith_cli.commands import app
from zenith_pipelines.requirements import MIN_SESSIONS
from zenith_pipelines.settings import Settings as PipelinesSettings
from zenith_serving.settings import Settings as ServingSettings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("settings", [PipelinesSettings, ServingSettings])
def test_every_setting_is_in_the_table_of_settings(settings):
    described = set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE))
    assert {name.upper() for name in settings.model_fields} <= described


def test_no_setting_is_described_that_does_not_exist():
    known = {name.upper() for settings in (PipelinesSettings, ServingSettings) for name in settings.model_fields}
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE)) <= known


def test_every_command_is_shown():
    assert [name for name in get_command(app).commands if f"zenith {name}" not in README] == []


def test_the_history_that_a_ticker_needs_is_the_one_that_is_asked_for():
    assert f"{MIN_SESSIONS:,} sessions" in README


def test_links_lead_somewhere():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_benchmark_is_listed():
    listed = (ROOT / "benchmarks" / "README.md").read_text()
    assert [path.name for path in (ROOT / "benchmarks").glob("*.py") if f"`{path.name}`" not in listed] == []


def test_decisions_have_numbers_of_their_own():
    numbers = [path.name[:4] for path in (ROOT / "docs" / "decisions").glob("*.md")]
    assert len(numbers) == len(set(numbers))
