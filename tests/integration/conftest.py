"""Real runs of the command in a fresh state folder, made once per session."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ZENITH = Path(sys.executable).with_name("zenith")


@dataclass(frozen=True)
class Command:
    """The zenith command with a state folder of its own."""

    home: Path

    def __call__(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ZENITH_HOME": str(self.home)}
        done = subprocess.run([ZENITH, *arguments], capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == status, done.stderr
        return done


@dataclass(frozen=True)
class Trained:
    """A state folder after `zenith run --tickers AAPL,FB --epochs 1 --json`."""

    zenith: Command
    document: dict


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    zenith = Command(tmp_path_factory.mktemp("trained") / "home")
    done = zenith("run", "--source", "sample", "--tickers", "AAPL,FB", "--epochs", "1", "--json")
    return Trained(zenith, json.loads(done.stdout))


@pytest.fixture
def zenith(tmp_path):
    return Command(tmp_path / "home")
