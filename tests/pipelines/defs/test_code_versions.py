"""Assets carry the version of the code that computes them."""

import pytest

from zenith_pipelines.definitions import defs
from zenith_pipelines.defs import code_versions
from zenith_pipelines.defs.code_versions import code_version

SOURCE = '''"""Say hello."""

GREETING = "hello"  # in English


def greet(name):
    """Greet."""
    return GREETING + name
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(code_versions, "_ROOT", tmp_path)
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "greeting.py").write_text(SOURCE)
    return folder


@pytest.mark.parametrize(
    ("old", "new"),
    [('"""Greet."""', '"""Greet somebody,\n\n    by name.\n    """'), ("\n\n\ndef", "\n# A comment.\n\n\n\ndef")],
    ids=["docstring", "comment and blank lines"],
)
def test_prose_does_not_change_the_version(package, old, new):
    before = code_version("package")
    (package / "greeting.py").write_text(SOURCE.replace(old, new))

    assert code_version("package") == before == code_version("package/greeting.py")


@pytest.mark.parametrize(("old", "new"), [('"hello"', '"hallo"'), ("GREETING + name", "name + GREETING")])
def test_code_changes_the_version(package, old, new):
    before = code_version("package")
    (package / "greeting.py").write_text(SOURCE.replace(old, new))

    assert code_version("package") != before


def test_a_place_that_does_not_exist_is_an_error(package):
    with pytest.raises(FileNotFoundError):
        code_version("package", "packages")


def test_every_asset_has_a_version():
    versions = {spec.key.to_user_string(): spec.code_version for spec in defs.resolve_all_asset_specs()}

    assert [name for name, version in versions.items() if not version] == []
    assert versions["lstm_model"] != versions["indicator_features"]
