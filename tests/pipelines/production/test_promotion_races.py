"""Promotions at the same time, on one machine and on several, and promotions that are killed half-way."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from tests.pipelines.synthetic_models import current_data, market, register_version
from zenith_pipelines.production.promotion import promote, promote_if_better, roll_back
from zenith_pipelines.registry.decision_log import decision_history
from zenith_pipelines.registry.model_registry import ModelRegistry

# MLflow 3.17 warns of itself, on its first use and on the import of its pyfunc.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType"),
]

FEATURES = market(sessions=300)
SESSIONS = (280, 300, 260, 290)  # that version 1, 2, 3 and 4 were trained on
NEWEST = 2
SPAWN = multiprocessing.get_context("spawn")


def register_all(registry, ticker):
    return [register_version(registry, "lstm", ticker, FEATURES.iloc[:sessions]).version for sessions in SESSIONS]


class Elsewhere(ModelRegistry):
    """A machine of its own on the same MLflow database: its locks are nobody else's.

    `meanwhile` is called once, between the record of a promotion and the move of the alias.
    """

    meanwhile = None
    stale = ()

    def production(self, name):
        """What is in Production; first what was there before, of which `stale` is the list."""
        if self.stale:
            seen, *self.stale = self.stale
            return seen
        return super().production(name)

    def promote(self, name, version):
        act, self.meanwhile = self.meanwhile, None
        if act:
            act()
        super().promote(name, version)


@pytest.fixture
def machines(registry, registry_dir, tmp_path):
    """Two machines on the database that tests share."""
    del registry  # it made the tables
    return [Elsewhere(f"sqlite:///{registry_dir}/mlflow.db", tmp_path / name) for name in ("here", "there")]


@pytest.mark.parametrize("first", [1, 2])
def test_of_two_machines_that_move_the_alias_at_once_the_newer_data_end_wins(registry, machines, first):
    here, there = machines
    ticker = f"ORDER{first}"
    register_all(registry, ticker)
    here.meanwhile = lambda: promote_if_better(there, "lstm", 3 - first, current_data(ticker, FEATURES))

    told = promote_if_better(here, "lstm", first, current_data(ticker, FEATURES))

    assert told["production"] == registry.production(f"lstm-{ticker}").version == NEWEST


def test_a_machine_that_judged_before_the_other_moved_and_moves_after_it_settled_puts_it_back(registry, machines):
    here, there = machines
    register_all(registry, "STALE")
    promote_if_better(here, "lstm", NEWEST, current_data("STALE", FEATURES))
    there.stale = [None]

    told = promote_if_better(there, "lstm", 1, current_data("STALE", FEATURES))

    assert told["production"] == registry.production("lstm-STALE").version == NEWEST
    assert [(one.version, one.reason) for one in decision_history(registry, "lstm-STALE")][1:] == [
        (1, "first model, no skill shown"),
        (NEWEST, "settled after version 1 and others at once"),
    ]


def test_what_a_person_did_meanwhile_stands(registry, machines):
    here, there = machines
    register_all(registry, "PERSON")
    now = current_data("PERSON", FEATURES)
    promote_if_better(here, "lstm", 1, now)
    here.meanwhile = lambda: promote(there, "lstm", 3, now, force=True, reason="the others are broken")

    told = promote_if_better(here, "lstm", NEWEST, now)

    assert told["production"] == registry.production("lstm-PERSON").version == 3


def consider_at_once(uri, root, ticker, version, barrier):
    registry = ModelRegistry(uri, Path(root))
    registry.production(f"lstm-{ticker}")  # what is slow for the first time
    barrier.wait(timeout=120)
    promote_if_better(registry, "lstm", version, current_data(ticker, FEATURES))


@pytest.mark.slow
def test_the_newer_data_end_wins_among_four_processes_on_three_machines(registry, registry_dir, tmp_path):
    ticker, barrier = "FOUR", SPAWN.Barrier(4)
    versions = register_all(registry, ticker)
    roots = [registry_dir / "artifacts", registry_dir / "artifacts", tmp_path / "second", tmp_path / "third"]
    racers = [
        SPAWN.Process(
            target=consider_at_once, args=(f"sqlite:///{registry_dir}/mlflow.db", root, ticker, version, barrier)
        )
        for version, root in zip(versions, roots, strict=True)
    ]

    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(timeout=180)

    assert [racer.exitcode for racer in racers] == [0, 0, 0, 0]
    assert registry.production(f"lstm-{ticker}").version == NEWEST
    assert {decision.version for decision in decision_history(registry, f"lstm-{ticker}")} == {1, 2, 3, 4}


def killed(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def train_and_be_killed(uri, root, ticker, at):
    """Register and promote a version of newer data, but be killed in place of one of the calls to MLflow."""
    registry = ModelRegistry(uri, Path(root))
    setattr(registry._client, at, killed)
    if at == "set_registered_model_alias":
        registry._make_candidate = lambda *_: None  # to be killed at the alias that matters
    version = register_version(registry, "lstm", ticker, FEATURES).version
    promote_if_better(registry, "lstm", version, current_data(ticker, FEATURES))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ticker", "at", "left"),
    [
        ("KILL1", "create_model_version", [1]),  # the artifact is there, the version is not
        ("KILL2", "set_registered_model_alias", [2, 1]),  # it is recorded as promoted, the alias has not moved
    ],
)
def test_a_promotion_that_is_killed_leaves_the_old_production_and_the_next_goes_through(
    registry, registry_dir, ticker, at, left
):
    now, name = current_data(ticker, FEATURES), f"lstm-{ticker}"
    promote_if_better(registry, "lstm", register_version(registry, "lstm", ticker, FEATURES.iloc[:280]).version, now)

    child = SPAWN.Process(
        target=train_and_be_killed,
        args=(f"sqlite:///{registry_dir}/mlflow.db", registry_dir / "artifacts", ticker, at),
    )
    child.start()
    child.join(timeout=120)

    assert child.exitcode == -signal.SIGKILL
    assert [version.version for version in registry.versions(name)] == left
    assert registry.production(name).version == 1
    following = register_version(registry, "lstm", ticker, FEATURES)
    assert promote_if_better(registry, "lstm", following.version, now)["production"] == following.version
    assert roll_back(registry, "lstm", now, reason=None)["production"] == 1
