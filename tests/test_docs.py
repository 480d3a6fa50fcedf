"""Everything public is documented, and everything documented exists."""

import re
import subprocess

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from typer.main import get_command

from docs.make_reference import setting_names
from tests.doc_pages import DOCS, GUIDES, PAGES, ROOT, anchors, blocks, commands, links
from zenith_cli.commands import app
from zenith_core.names import ALERT_DAYS
from zenith_pipelines.alert_receivers import KINDS
from zenith_pipelines.definitions import defs
from zenith_pipelines.models.training import MIN_SESSIONS
from zenith_serving import problem_details as problems
from zenith_serving.prediction.predictor import make_predictor
from zenith_serving.settings import Settings as ServingSettings

ZENITH = get_command(app)
RUNBOOK = (DOCS / "runbook.md").read_text()
PROSE = "\n".join(page.read_text() for page in PAGES if page.parent not in (DOCS / "reference", DOCS / "decisions"))

EXCUSES = {
    "installs and trains": 2,
    "trains": 4,
    "needs Yahoo": 1,
    "needs an address": 1,
    "goes on until it is stopped": 6,
    "needs the full stack": 4,
    "needs a stopped stack": 1,
    "needs root": 1,
    "needs the file and its services": 1,
    "nothing was fetched on that day here": 1,
    "deletes what other tests need": 1,
    "looks at ports of this machine": 1,
}
"""Accepted reasons not to run a block, with the maximum number of blocks. A test that runs it is named instead."""


@pytest.mark.slow
def test_links_resolve():
    for page in PAGES:
        for link in links(page):
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            assert target.exists(), f"{page.name} links to {link}"
            if anchor and target.suffix == ".md":
                assert anchor in anchors(target), f"{page.name} links to {link}"


def test_the_slowest_tests_that_are_listed_exist():
    rows = re.findall(r"^\| `(tests/\S+\.py)` \| `(\w+)", (DOCS / "tests.md").read_text(), re.MULTILINE)
    assert [name for file, name in rows if f"def {name}(" not in (ROOT / file).read_text()] == [], "make slowest"


def test_every_page_is_in_the_index():
    index = {(DOCS / link.partition("#")[0]).resolve() for link in links(DOCS / "README.md")}
    pages = [page for page in DOCS.rglob("*.md") if page.parent.name != "decisions"]
    assert [page.name for page in pages if page not in index and page.name != "README.md"] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_shown_exists_with_its_options(page):
    for block, words in commands(page):
        context = ZENITH
        command = words
        while command and hasattr(context, "commands"):
            assert command[0] in context.commands, f"{block}: zenith {' '.join(words)}"
            context, command = context.commands[command[0]], command[1:]
        context.make_context("zenith", [word for word in command if word != "&"])


def test_every_make_target_shown_exists():
    targets = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    names = {
        name for page in PAGES for block in blocks(page) for name in re.findall(r"^make ([\w./-]+)", block.text, re.M)
    }
    assert {"run", "test"} <= names
    assert names <= targets


def test_every_command_is_mentioned_outside_the_reference():
    names = [*ZENITH.commands, *(f"tickers {name}" for name in ZENITH.commands["tickers"].commands)]
    assert [name for name in names if f"zenith {name}" not in PROSE] == []


def test_every_zenith_variable_mentioned_exists():
    files = [ROOT / "docker-compose.yml", ROOT / ".env.example", *(ROOT / "deploy").rglob("*.yaml")]
    others = set(re.findall(r"\bZENITH_[A-Z_]+\b", "".join(file.read_text() for file in files)))
    assert set(re.findall(r"\bZENITH_[A-Z_]+\b", PROSE)) - set(setting_names()) - others == set()


def test_every_alert_has_its_entry_in_the_runbook():
    assert [kind for kind in KINDS if f"### `{kind}`" not in RUNBOOK] == []


def test_every_check_has_its_entry_in_the_runbook():
    names = {key.name for key in defs.resolve_asset_graph().asset_check_keys}
    assert len(names) > 10
    assert [name for name in names if not re.search(rf"^\| .*`{name}`", RUNBOOK, re.MULTILINE)] == []
    for page in ("runbook.md", "guides/own-prices.md"):
        assert f"{MIN_SESSIONS:,} sessions" in " ".join((DOCS / page).read_text().split())


def test_every_kind_of_problem_has_its_entry_in_the_runbook():
    kinds = [slug for _, slug, *_ in problems._KINDS] + [f"http-{status.value}" for status in problems._HINTS]
    assert [kind for kind in kinds if not re.search(rf"^\| .*`{kind}`.* \|", RUNBOOK, re.MULTILINE)] == []


def test_every_metric_is_in_the_runbook_and_the_rules_use_no_other():
    from zenith_serving.observability.metrics import Metrics

    text = Metrics(make_predictor(ServingSettings())).text().decode()
    families = {
        family.name: family for family in text_string_to_metric_families(text) if family.name.startswith("zenith")
    }
    suffixes = {"counter": ("_total",), "histogram": ("", "_bucket"), "info": ("_info",), "gauge": ("",)}
    names = {f"{name}{suffix}" for name, family in families.items() for suffix in suffixes[family.type]}
    in_runbook = set(re.findall(r"`(zenith_\w+)`", RUNBOOK))
    rules = yaml.safe_load(next(block.text for block in blocks(DOCS / "runbook.md") if block.language == "yaml"))
    in_rules = {name for rule in rules["groups"][0]["rules"] for name in re.findall(r"zenith_\w+", rule["expr"])}

    assert {name for name in names if not name.endswith("_bucket")} == in_runbook
    assert in_rules <= names


def test_only_a_few_blocks_are_not_run_and_each_has_a_reason():
    skips = [block for page in GUIDES for block in blocks(page) if block.language == "bash" and block.excuse]
    elsewhere = [block.excuse.removeprefix("like it in ") for block in skips if block.excuse.startswith("like it in ")]
    assert [name for name in elsewhere if not (ROOT / name).exists()] == []

    excuses = [block.excuse for block in skips if not block.excuse.startswith("like it in ")]
    assert [excuse for excuse in excuses if excuses.count(excuse) > EXCUSES.get(excuse, 0)] == []


def test_every_benchmark_is_listed():
    index = (ROOT / "benchmarks" / "README.md").read_text()
    assert [path.name for path in (ROOT / "benchmarks").glob("*.py") if f"`{path.name}`" not in index] == []


@pytest.mark.slow
def test_nothing_refers_to_files_outside_the_project():
    output = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [file for name in output.split("\0") if name and (file := ROOT / name).is_file()]
    pages = {file.name for file in files if file.suffix == ".md"}
    outside = []
    for file in files:
        text = file.read_text(errors="ignore")
        outside += [(file.name, name) for name in re.findall(r"\b[A-Z][A-Z_-]+\.md\b", text) if name not in pages]
        if file.suffix == ".md":
            paths = [path for path in re.findall(r"(?:\.\./)+[\w./-]*\w", text) if not (file.parent / path).exists()]
            outside += [(file.name, path) for path in paths]
        if str(ROOT) in text:
            outside.append((file.name, str(ROOT)))
    assert outside == []


@pytest.mark.slow
def test_every_bash_block_is_valid():
    scripts = [block for page in PAGES for block in blocks(page) if block.language == "bash"]
    assert len(scripts) > 50
    for block in scripts:
        result = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
        assert result.stderr == "", block


@pytest.mark.parametrize("page", ["page.md", "guides/alerts.md"])
def test_pages_name_the_days_that_an_alert_stands(page):
    assert re.findall(r"of the last (\d+) days", (DOCS / page).read_text()) == [str(ALERT_DAYS)]
