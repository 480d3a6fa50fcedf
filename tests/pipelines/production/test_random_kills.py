"""Retrainings, promotions, clean-ups and migrations, killed at random moments: nothing is lost, doubled or half."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests import forked
from tests.empty_databases import put_mlflow_database
from tests.homes.older import ARCHIVES, contents, unpack
from tests.pipelines.synthetic_models import current_data, market, register_version
from tests.waiting import PATIENCE
from zenith_pipelines.production.promotion import promote, promote_if_better, roll_back
from zenith_pipelines.registry import artifact_storage
from zenith_pipelines.registry.artifact_locations import locations_outside, make_relative
from zenith_pipelines.registry.decision_log import decision_history
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.retention import RetentionRules, clean_up

KILLS = 50  # of each of the four
FEATURES = market(sessions=300)
NAME = "lstm-AAPL"
CURRENT = current_data("AAPL", FEATURES)
RULES = RetentionRules(keep_latest_n=2)

pytestmark = pytest.mark.long


def open_home(folder):
    return ModelRegistry(f"sqlite:///{folder}/mlflow.db", Path(folder) / "artifacts")


def retrain(folder, ready):
    registry = open_home(folder)
    registry.production(NAME)  # the first contact is slow
    ready.set()
    version = register_version(registry, "lstm", "AAPL", FEATURES).version
    promote_if_better(registry, "lstm", version, CURRENT)


def promote_and_return(folder, ready):
    registry = open_home(folder)
    current = registry.production(NAME).version
    ready.set()
    promote(registry, "lstm", 3 - current, CURRENT, force=True, reason="to be killed")
    roll_back(registry, "lstm", CURRENT, reason=None)


def clean(folder, ready):
    artifact_storage.GRACE_SECONDS = -10.0  # as an hour later
    registry = open_home(folder)
    registry.production(NAME)
    ready.set()
    clean_up(registry, RULES)


def migrate(folder, ready):
    ready.set()
    make_relative(f"sqlite:///{folder}/mlflow.db", Path(folder) / "artifacts")


class Killer:
    """Starts an action in a process of its own and kills it at a random moment of its usual duration."""

    def __init__(self):
        self.random = random.Random(0)
        self.duration = None
        self.kills = 0

    def __call__(self, action, folder):
        if self.duration is None:
            self.duration = self.run(action, folder)
            return
        process = self._start(action, folder)
        process.join(timeout=self.random.uniform(0, self.duration))
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            process.join(timeout=PATIENCE)
        assert process.exitcode in (0, -signal.SIGKILL)
        self.kills += process.exitcode != 0

    def run(self, action, folder):
        """Run the action to its end; return the seconds that it took."""
        process = self._start(action, folder)
        start = time.monotonic()
        process.join(timeout=PATIENCE)
        assert process.exitcode == 0
        return time.monotonic() - start

    def _start(self, action, folder):
        ready = forked.FORKED.Event()
        process = forked.start(action, str(folder), ready)
        assert ready.wait(timeout=PATIENCE)
        return process


@pytest.fixture
def killer():
    return Killer()


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A registry with six versions, of which the second is in Production after the first. Not to be changed."""
    folder = tmp_path_factory.mktemp("original")
    put_mlflow_database(folder)
    registry = open_home(folder)
    for sessions in (280, 285, 290, 292, 294, 296):
        register_version(registry, "lstm", "AAPL", FEATURES.iloc[:sessions])
    for version in (1, 2):
        promote(registry, "lstm", version, CURRENT, force=True, reason="test")
    return folder


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "mlflow")


def numbers(registry):
    return [version.version for version in registry.versions(NAME)]


def require_whole(registry, versions):
    """Each version has its whole artifact."""
    for version in versions:
        assert registry.load(NAME, version)


def require_history(registry, before, most):
    """Decisions are kept as they were, at most `most` are new, and none is there twice."""
    history = decision_history(registry, NAME)
    assert history[: len(before)] == before
    assert len(history) - len(before) <= most
    assert len({(one.version, one.at) for one in history}) == len(history)
    return history


def test_killed_retrainings(killer, folder):
    registry = open_home(folder)
    versions, production, history = numbers(registry), 2, decision_history(registry, NAME)
    while killer.kills < KILLS:
        killer(retrain, folder)

        now = numbers(registry)
        assert now[-len(versions) :] == versions
        assert len(now) - len(versions) <= 1
        require_whole(registry, now[:2])
        history = require_history(registry, history, most=1)
        assert registry.production(NAME).version in {production, *now[:1]}
        versions, production = now, registry.production(NAME).version

    require_whole(registry, versions)
    last = register_version(registry, "lstm", "AAPL", market(sessions=301)).version
    result = promote_if_better(registry, "lstm", last, current_data("AAPL", market(sessions=301)))
    assert result["production"] == registry.production(NAME).version == last


def test_killed_promotions_and_rollbacks(killer, folder):
    registry = open_home(folder)
    versions, history = numbers(registry), decision_history(registry, NAME)
    while killer.kills < KILLS:
        killer(promote_and_return, folder)

        assert numbers(registry) == versions
        history = require_history(registry, history, most=2)
        assert registry.production(NAME).version in (1, 2)
        following = 3 - registry.production(NAME).version
        promote(registry, "lstm", following, CURRENT, force=True, reason="the next one succeeds")
        history = decision_history(registry, NAME)
        assert registry.production(NAME).version == following
    require_whole(registry, versions)


def test_killed_clean_ups(killer, original, tmp_path):
    folder = shutil.copytree(original, tmp_path / "unkilled")
    killer(clean, folder)
    after = numbers(open_home(folder))
    assert 1 < len(after) < 6
    while killer.kills < KILLS:
        folder = shutil.copytree(original, tmp_path / f"killed-{killer.kills}", dirs_exist_ok=True)
        history = decision_history(open_home(folder), NAME)
        killer(clean, folder)

        registry = open_home(folder)
        assert set(after) <= set(numbers(registry))
        require_whole(registry, after)
        assert decision_history(registry, NAME) == history
        assert registry.production(NAME).version == 2
        killer.run(clean, folder)
        assert numbers(registry) == after
        assert len(list((folder / "artifacts").rglob("model.onnx"))) == len(after)
        shutil.rmtree(folder)


def test_killed_migrations(killer, tmp_path):
    older = unpack(ARCHIVES[0], tmp_path / "older") / "home" / "mlflow"
    before = contents(older)
    while killer.kills < KILLS:
        folder = shutil.copytree(older, tmp_path / "copy")
        outside = locations_outside(f"sqlite:///{folder}/mlflow.db")
        killer(migrate, folder)

        assert locations_outside(f"sqlite:///{folder}/mlflow.db") in (outside, [])
        make_relative(f"sqlite:///{folder}/mlflow.db", folder / "artifacts")
        assert locations_outside(f"sqlite:///{folder}/mlflow.db") == []
        registry = open_home(folder)
        require_whole(registry, numbers(registry))
        assert {name: digest for name, digest in contents(folder).items() if name.startswith("artifacts/")} == {
            name: digest for name, digest in before.items() if name.startswith("artifacts/")
        }
        shutil.rmtree(folder)
    assert contents(older) == before
