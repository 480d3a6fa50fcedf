"""The committed reference equals the one generated from the code."""

import pytest

from docs.make_reference import FOLDER, pages, setting_names

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _defaults(monkeypatch):
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)


def test_reference_is_up_to_date():
    texts = pages()

    assert {path.name for path in FOLDER.iterdir()} == set(texts)
    assert [name for name, text in texts.items() if (FOLDER / name).read_text() != text] == [], "run `make reference`"


def test_every_setting_config_and_check_has_a_description():
    texts = pages()

    for page, meaning in (("settings.md", 1), ("assets.md", -1)):
        rows = [line[2:].removesuffix(" |").split(" | ") for line in texts[page].splitlines() if line.startswith("| `")]
        assert len(rows) > 20
        assert [row for row in rows if not row[meaning].strip()] == []
