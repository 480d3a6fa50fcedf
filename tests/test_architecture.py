"""The tree is as docs/architecture.md says, and no folder grows into a corridor."""

import re
from pathlib import Path

import pytest

from docs.rooms import PACKAGES, PAGE, ROOT, architecture_page, folders

MAX_FILES = 15
FOLDERS = [folder for package in PACKAGES for folder in folders(package)]


@pytest.mark.slow
def test_the_page_is_generated_from_the_code():
    assert PAGE.read_text() == architecture_page(), "make reference"


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_has_a_charter(folder):
    package = folder.partition("/")[0]

    assert folders(package)[folder]


@pytest.mark.parametrize("folder", sorted(set(FOLDERS) - {"zenith_cli"}))  # zenith_cli: a file for each command
def test_no_folder_has_more_than_15_files(folder):
    files = [path.name for path in (ROOT / folder).glob("*.py") if path.name != "__init__.py"]

    assert len(files) <= MAX_FILES, files


def test_every_folder_of_sources_is_a_package():
    with_sources = {str(path.parent.relative_to(ROOT)) for one in PACKAGES for path in (ROOT / one).rglob("*.py")}

    assert with_sources == set(FOLDERS)


def test_every_file_that_the_page_names_exists():
    names = re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.py)`", PAGE.read_text())
    files = {str(path.relative_to(ROOT)) for one in PACKAGES for path in (ROOT / one).rglob("*.py")}

    assert len(names) > 20
    assert [name for name in names if not any(f"/{file}".endswith(f"/{name}") for file in files)] == []


def test_tests_mirror_the_sources():
    strays = []
    for path in Path(ROOT, "tests").rglob("test_*.py"):
        parts = path.relative_to(ROOT / "tests").parent.parts
        if parts and f"zenith_{parts[0]}" in PACKAGES and not (ROOT / f"zenith_{parts[0]}" / Path(*parts[1:])).is_dir():
            strays.append(str(path))

    assert strays == []
