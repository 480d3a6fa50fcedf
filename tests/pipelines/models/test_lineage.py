from importlib.metadata import version

from zenith_pipelines.models.lineage import code_version, library_versions

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_the_code_version_of_an_installed_package_is_its_version(tmp_path):
    assert code_version(tmp_path / ".git") == version("zenith")


def test_the_code_version_of_a_checkout_includes_its_commit(tmp_path):
    (tmp_path / "refs/heads").mkdir(parents=True)
    (tmp_path / "refs/heads/main").write_text(f"{COMMIT}\n")
    (tmp_path / "HEAD").write_text("ref: refs/heads/main\n")
    assert code_version(tmp_path) == f"{version('zenith')}+0123456789ab"
    (tmp_path / "HEAD").write_text(f"{COMMIT}\n")
    assert code_version(tmp_path) == f"{version('zenith')}+0123456789ab"


def test_a_commit_that_cannot_be_read_is_left_out(tmp_path):
    (tmp_path / "HEAD").write_text("ref: refs/heads/packed\n")
    assert code_version(tmp_path) == version("zenith")
    (tmp_path / "worktree.git").write_text("gitdir: elsewhere\n")
    assert code_version(tmp_path / "worktree.git") == version("zenith")


def test_library_versions_are_those_of_the_installed_distributions():
    versions = library_versions()
    assert {"zenith", "jax", "keras", "onnxruntime", "scikit-learn", "ta"} <= set(versions)
    assert {name.removesuffix("-cpu") for name in versions} >= {"xgboost", "tensorflow"}
    assert versions == {name: version(name) for name in versions}
