"""Concurrent promotions, on one machine and on several, and promotions that are killed half-way."""

import os
import signal
from pathlib import Path

import pytest

from tests import forked
from tests.pipelines.synthetic_models import current_data, market, register_version
from tests.waiting import PATIENCE
from zenith_pipelines.production.promotion import promote, promote_if_better, roll_back
from zenith_pipelines.registry.decision_log import decision_history
from zenith_pipelines.registry.model_registry import ModelRegistry

pytestmark = pytest.mark.slow

FEATURES = market(sessions=300)
SESSIONS = (280, 300, 260, 290)  # training sessions of versions 1, 2, 3 and 4
NEWEST = 2


def register_all(registry, ticker):
    return [register_version(registry, "lstm", ticker, FEATURES.iloc[:sessions]).version for sessions in SESSIONS]


class OtherMachine(ModelRegistry):
    """A machine on the same MLflow database, with locks of its own.

    concurrent:  called once, between the record of a promotion and the move of the alias
    stale:       earlier states of Production that the next reads return
    """

    concurrent = None
    stale = ()

    def production(self, name):
        if self.stale:
            version, *self.stale = self.stale
            return version
        return super().production(name)

    def promote(self, name, version):
        concurrent, self.concurrent = self.concurrent, None
        if concurrent:
            concurrent()
        super().promote(name, version)


@pytest.fixture
def machines(registry, registry_dir, tmp_path):
    """Two machines on the database that the tests share."""
    del registry  # it has created the tables
    return [OtherMachine(f"sqlite:///{registry_dir}/mlflow.db", tmp_path / name) for name in ("here", "there")]


@pytest.mark.parametrize("first", [1, 2])
def test_of_two_machines_that_promote_at_once_the_newer_data_end_wins(registry, machines, first):
    here, there = machines
    ticker = f"ORDER{first}"
    register_all(registry, ticker)
    here.concurrent = lambda: promote_if_better(there, "lstm", 3 - first, current_data(ticker, FEATURES))

    result = promote_if_better(here, "lstm", first, current_data(ticker, FEATURES))

    assert result["production"] == registry.production(f"lstm-{ticker}").version == NEWEST


def test_a_promotion_based_on_a_stale_champion_restores_the_newer_version(registry, machines):
    here, there = machines
    register_all(registry, "STALE")
    promote_if_better(here, "lstm", NEWEST, current_data("STALE", FEATURES))
    there.stale = [None]

    result = promote_if_better(there, "lstm", 1, current_data("STALE", FEATURES))

    assert result["production"] == registry.production("lstm-STALE").version == NEWEST
    assert [(one.version, one.reason) for one in decision_history(registry, "lstm-STALE")][1:] == [
        (1, "first model, no skill shown"),
        (NEWEST, "settled after a concurrent move, to version 1"),
    ]


def test_a_concurrent_manual_promotion_stands(registry, machines):
    here, there = machines
    register_all(registry, "PERSON")
    current = current_data("PERSON", FEATURES)
    promote_if_better(here, "lstm", 1, current)
    here.concurrent = lambda: promote(there, "lstm", 3, current, force=True, reason="the others are broken")

    result = promote_if_better(here, "lstm", NEWEST, current)

    assert result["production"] == registry.production("lstm-PERSON").version == 3


def promote_at_once(uri, root, ticker, version, barrier):
    registry = ModelRegistry(uri, Path(root))
    registry.production(f"lstm-{ticker}")  # the first contact is slow
    barrier.wait(timeout=PATIENCE)
    promote_if_better(registry, "lstm", version, current_data(ticker, FEATURES))


@pytest.mark.slow
def test_the_newer_data_end_wins_among_four_processes_on_three_machines(registry, registry_dir, tmp_path):
    ticker, barrier = "FOUR", forked.FORKED.Barrier(4)
    versions = register_all(registry, ticker)
    roots = [registry_dir / "artifacts", registry_dir / "artifacts", tmp_path / "second", tmp_path / "third"]
    racers = [
        forked.start(promote_at_once, f"sqlite:///{registry_dir}/mlflow.db", root, ticker, version, barrier)
        for version, root in zip(versions, roots, strict=True)
    ]

    for racer in racers:
        racer.join(timeout=PATIENCE)

    assert [racer.exitcode for racer in racers] == [0, 0, 0, 0]
    assert registry.production(f"lstm-{ticker}").version == NEWEST
    assert {decision.version for decision in decision_history(registry, f"lstm-{ticker}")} == {1, 2, 3, 4}


def kill_process(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def train_and_be_killed(uri, root, ticker, at):
    """Register and promote a version of newer data, but be killed instead of calling `at` of MLflow's client."""
    registry = ModelRegistry(uri, Path(root))
    setattr(registry._client, at, kill_process)
    if at == "set_registered_model_alias":
        registry._make_candidate = lambda *_: None  # be killed at Production's alias instead
    version = register_version(registry, "lstm", ticker, FEATURES).version
    promote_if_better(registry, "lstm", version, current_data(ticker, FEATURES))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ticker", "at", "versions"),
    [
        ("KILL1", "create_model_version", [1]),  # the artifact exists, the version does not
        ("KILL2", "set_registered_model_alias", [2, 1]),  # recorded as promoted, but the alias has not moved
    ],
)
def test_a_killed_promotion_leaves_production_as_it_was_and_the_next_succeeds(
    registry, registry_dir, ticker, at, versions
):
    current, name = current_data(ticker, FEATURES), f"lstm-{ticker}"
    promote_if_better(
        registry, "lstm", register_version(registry, "lstm", ticker, FEATURES.iloc[:280]).version, current
    )

    address, root = f"sqlite:///{registry_dir}/mlflow.db", registry_dir / "artifacts"
    child = forked.start(train_and_be_killed, address, root, ticker, at)
    child.join(timeout=PATIENCE)

    assert child.exitcode == -signal.SIGKILL
    assert [version.version for version in registry.versions(name)] == versions
    assert registry.production(name).version == 1
    following = register_version(registry, "lstm", ticker, FEATURES)
    assert promote_if_better(registry, "lstm", following.version, current)["production"] == following.version
    assert roll_back(registry, "lstm", current, reason=None)["production"] == 1
