"""`make dist`: the wheel holds the whole program, and runs where nothing of the project is."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source = tmp_path_factory.mktemp("source")  # a copy, because a build writes into the folder that it builds
    for name in ["pyproject.toml", "README.md", "LICENSE", *package_files()]:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    command = [UV, "build", "-q", "--no-build-isolation", "--wheel", "--python", sys.executable, source]
    subprocess.run(command, check=True)
    return next((source / "dist").glob("*.whl"))


def package_files():
    command = ["git", "ls-files", "zenith_*"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert names == set(package_files())


@pytest.mark.long
def test_the_wheel_trains_the_sample_in_an_empty_environment(wheel, tmp_path):
    python = tmp_path / "venv" / "bin" / "python"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ZENITH_HOME": str(tmp_path / "home")}

    def run(*command):
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    subprocess.run([UV, "venv", "-q", "--python", sys.executable, tmp_path / "venv"], check=True)
    install = [UV, "pip", "install", "-q", "--python", python]
    subprocess.run([*install, "--require-hashes", "-r", ROOT / "requirements.lock"], check=True)
    subprocess.run([*install, "--no-deps", wheel], check=True)

    training = run(python.with_name("zenith"), "run", "--source", "sample", "--tickers", "AAPL", "--epochs", "1")
    assert training.returncode == 0, training.stderr
    assert "lstm v1" in training.stdout

    prediction = run(python.with_name("zenith"), "predict", "AAPL", "--json")
    assert prediction.returncode == 0, prediction.stderr
    assert '"predictions": [' in prediction.stdout
