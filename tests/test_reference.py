"""The reference that is committed is the one that the code makes."""

import pytest

from docs.make_reference import FOLDER, pages, setting_names


@pytest.fixture(autouse=True)
def _defaults(monkeypatch):
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)


def test_the_reference_is_made_anew():
    made = pages()

    assert {path.name for path in FOLDER.iterdir()} == set(made)
    assert [name for name, text in made.items() if (FOLDER / name).read_text() != text] == [], "make reference"


def test_no_setting_no_config_and_no_check_is_without_a_description():
    made = pages()

    for page, meaning in (("settings.md", 1), ("assets.md", -1)):
        rows = [line[2:].removesuffix(" |").split(" | ") for line in made[page].splitlines() if line.startswith("| `")]
        assert len(rows) > 20
        assert [row for row in rows if not row[meaning].strip()] == []
