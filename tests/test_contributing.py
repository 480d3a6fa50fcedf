"""The recipes in CONTRIBUTING.md name the files that an addition touches."""

import re
import subprocess

import pytest

from tests.doc_pages import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
RECIPES = re.findall(r"^\| (an? [^|]+) \| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)


def test_there_is_a_recipe_for_each_common_addition():
    assert [recipe[0] for recipe in RECIPES] == [
        "an indicator",
        "a price source",
        "an endpoint",
        "a schedule",
        "a promotion gate",
        "a plot in the report",
    ]


@pytest.mark.parametrize(("addition", "example", "text"), RECIPES, ids=[recipe[0] for recipe in RECIPES])
def test_the_example_stands_in_the_files_of_the_recipe(addition, example, text):
    search = ["git", "grep", "-lw", example, "--", "zenith_*"]
    files = subprocess.run(search, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()

    assert sorted(re.findall(r"`(zenith_[\w/.]+)`", text)) == sorted(files)


def test_the_page_stays_under_a_page():
    assert len(PAGE.splitlines()) <= 55
