"""The code and library versions behind a model."""

from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_GIT = Path(__file__).parents[2] / ".git"
# Of TensorFlow and XGBoost one of the two distributions is installed (docs/decisions/0003).
_LIBRARIES = (
    *("zenith", "jax", "keras", "numpy", "onnx", "onnxruntime", "pandas", "scikit-learn", "skl2onnx", "ta"),
    *("tensorflow", "tensorflow-cpu", "xgboost", "xgboost-cpu"),
)


def code_version(git: Path = _GIT) -> str:
    """Return the package's version, in a git checkout with the commit: `0.1.0+a1b2c3d4e5f6`.

    Uncommitted changes do not show, and packed git references are not read.
    """
    try:
        head = (git / "HEAD").read_text().strip()
        commit = (git / head.removeprefix("ref: ")).read_text().strip() if head.startswith("ref: ") else head
    except OSError:
        return version("zenith")
    return f"{version('zenith')}+{commit[:12]}"


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that compute features, train and export, by installed distribution."""
    versions = {}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
