"""The pages in docs/decisions have a number, a title and a status, and the index repeats them."""

import re

import pytest

from tests.doc_pages import DOCS, ROOT

FOLDER = DOCS / "decisions"
DECISIONS = sorted(FOLDER.glob("[0-9]*.md"))
MEASUREMENTS = sorted((ROOT / "benchmarks" / "results" / "decisions").glob("*.md"))

_LINK = r"\[(\d{4})\]\((\d{4}-[\w-]+\.md)\)"
_STATUS = re.compile(rf"Status: (accepted(?:, amended by {_LINK}(?:, {_LINK})*)?|superseded by {_LINK})")
_ROW = re.compile(r"^- \[(.+)\]\(([\w-]+\.md)\): (.+)$", re.MULTILINE)
_CODE_PATH = re.compile(r"`((?:zenith_\w+|benchmarks|deploy|docs|mlflow|tests)/[^`*]+)`")


def title_and_status(page):
    """Return the first two lines of a page, without `# ` and `Status: `."""
    title, status, *_ = page.read_text().splitlines()
    return title.removeprefix("# "), status.removeprefix("Status: ")


def test_decisions_have_unique_numbers():
    numbers = [page.name[:4] for page in DECISIONS]
    assert len(numbers) >= 40
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name[:4])
def test_a_decision_has_a_title_and_a_valid_status(page):
    title, status, blank, *_ = page.read_text().splitlines()
    assert re.fullmatch(rf"# {page.name[:4]}\. [A-Z].*[^.]", title)
    assert _STATUS.fullmatch(status), status
    assert blank == ""
    for number, name in re.findall(_LINK, status):
        assert name[:4] == number > page.name[:4], status
        assert (FOLDER / name).exists(), status


def test_the_index_lists_every_decision_once_with_its_title_and_status():
    rows = _ROW.findall((FOLDER / "README.md").read_text())
    assert sorted(rows) == sorted(
        (title, page.name, status) for page in DECISIONS for title, status in [title_and_status(page)]
    )


@pytest.mark.parametrize("page", [*DECISIONS, *MEASUREMENTS], ids=lambda page: page.name)
def test_paths_in_a_decision_exist(page):
    assert [path for path in _CODE_PATH.findall(page.read_text()) if not (ROOT / path.split()[0]).exists()] == []
