import pytest

from zenith_core.errors import UserError
from zenith_serving.errors import ModelUnavailable, RegistryUnavailable
from zenith_serving.registry import open_registry
from zenith_serving.registry.base import check_checksum, production_versions, read_artifact


@pytest.mark.parametrize("uri", ["file:///mlruns", "/mlruns", "databricks", "ftp://host"])
def test_other_tracking_uris_are_refused_with_the_name_of_the_setting(uri):
    with pytest.raises(UserError, match="MLFLOW_TRACKING_URI must be"):
        open_registry(uri)


def test_artifacts_are_read_by_path_file_uri_or_fsspec(tmp_path):
    folder = tmp_path / "a model"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"onnx")
    import fsspec

    fsspec.filesystem("memory").pipe_file("/models/1/model.onnx", b"object store")
    assert read_artifact(str(folder)) == b"onnx"
    assert read_artifact(folder.as_uri()) == b"onnx"
    assert read_artifact("memory://models/1") == b"object store"


def test_a_missing_artifact_and_an_unreachable_one_raise_different_errors(tmp_path):
    with pytest.raises(ModelUnavailable, match="gone"):
        read_artifact(str(tmp_path))
    with pytest.raises(RegistryUnavailable, match="cannot be read from here"):
        read_artifact("nosuchscheme://bucket/model")


def test_the_scale_of_all_tickers_is_no_model_that_answers():
    aliases = [("scale", 3, "Production"), ("lstm-AAPL", 2, "Production"), ("lstm-AAPL", 4, "Candidate")]

    assert production_versions(aliases) == {"lstm-AAPL": 2}


def test_a_model_file_whose_checksum_cannot_be_read_is_refused():
    assert check_checksum(b"onnx", {"kind": "lstm"}) == b"onnx"  # of an early release
    with pytest.raises(ModelUnavailable, match="tag provenance of the version is not as Zenith wrote it"):
        check_checksum(b"onnx", {"kind": "lstm", "provenance": "{"})
