"""Real runs of the command in a fresh state folder, made once per session."""

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from tests.empty_databases import put_dagster_databases
from tests.runs_here import run_tickers_here
from zenith_cli.main import main

ZENITH = Path(sys.executable).with_name("zenith")


@dataclass(frozen=True)
class Command:
    """The zenith command with a state folder of its own."""

    home: Path

    def __call__(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ZENITH_HOME": str(self.home)}
        process = subprocess.run([ZENITH, *arguments], capture_output=True, text=True, env=environment, check=False)
        assert process.returncode == status, process.stderr
        return process

    def here(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command and its runs in this process: starting processes for them takes longer than their work."""
        output, errors = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(output), redirect_stderr(errors):
            run_tickers_here(patch)
            patch.delenv("DAGSTER_HOME", raising=False)
            patch.setenv("ZENITH_HOME", str(self.home))
            patch.setattr(sys, "argv", ["zenith", *arguments])
            with pytest.raises(SystemExit) as end:
                main()
        output.seek(0)
        errors.seek(0)
        process = subprocess.CompletedProcess(arguments, end.value.code or 0, output.read(), errors.read())
        assert process.returncode == status, process.stderr
        return process


@dataclass(frozen=True)
class Trained:
    """A state folder after `zenith run --tickers AAPL,FB --epochs 1 --json`, with ensembles of few trees."""

    zenith: Command
    document: dict


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory, worker_id):
    """The trained home, made once by one of the test processes and copied for each.

    It is made as people make it: by the command, with its worker process and whole ensembles.
    """
    folder = tmp_path_factory.mktemp("trained")
    common = (folder.parent if worker_id == "master" else folder.parent.parent) / "shared-training"
    with FileLock(f"{common}.lock"):
        if not (common / "document.json").exists():
            command = Command(common / "home")
            process = command("run", "--source", "sample", "--tickers", "AAPL,FB", "--epochs", "1", "--json")
            (common / "document.json").write_text(process.stdout)
    zenith = Command(folder / "home")
    shutil.copytree(common / "home", zenith.home)
    return Trained(zenith, json.loads((common / "document.json").read_text()))


@pytest.fixture
def zenith(tmp_path):
    put_dagster_databases(tmp_path / "home")
    return Command(tmp_path / "home")
