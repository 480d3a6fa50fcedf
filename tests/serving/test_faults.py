"""Faults drawn at random, under load, on one served home.

No wrong number is answered, nothing is 5xx where a last good answer exists, and `/health` names the fault within 5 s.
"""

import random
import threading
import time
from collections import Counter
from datetime import UTC, date, datetime

import httpx
import pytest

from tests.live_service import live_app
from tests.published import publish
from tests.serving.bad_registry import NONSENSE, SLOW, bad_registry
from tests.serving.conftest import make_ensemble, make_lstm, make_snapshot
from tests.waiting import PATIENCE, wait_until
from zenith_core.sealed_json import unseal
from zenith_serving.app import create_app
from zenith_serving.settings import Settings

pytestmark = pytest.mark.slow

POLL_SECONDS = 0.2
PREDICT = "/api/v1/ml/predict"


class World:
    """A served home with its registry: all that was ever published is known, so that a wrong number is seen."""

    def __init__(self, home, registry):
        self.home, self.registry = home, registry
        self.closes = set()
        self.count = 0
        registry.models |= {"lstm-AAPL": [], "ensemble-AAPL": [make_ensemble("AAPL")]}
        self.promote()
        self.publish()
        settings = Settings(
            zenith_home=home, mlflow_tracking_uri=registry.url, redis_url=None, models_path=None, zenith_data_uri=None
        )
        self.models = settings.last_good
        self.app = create_app(settings, poll_seconds=POLL_SECONDS)

    @property
    def version(self):
        return len(self.registry.models["lstm-AAPL"])

    def promote(self, damage=lambda onnx: onnx):
        """Promote a version whose forecast of tomorrow is 1 % higher for each version."""
        growth = 1 + 0.01 * (self.version + 1)
        self.registry.models["lstm-AAPL"].append(damage(make_lstm("AAPL", growth=growth)))

    def publish(self, **changes):
        """Publish a snapshot with a close that no other has."""
        self.count += 1
        snapshot = make_snapshot("AAPL", **{"close": 100.0 + self.count, "data_version": f"v{self.count}"} | changes)
        if not changes:
            self.closes.add(snapshot.close)
        stamp = f"20130301T220000.{self.count:06d}Z"
        self.copy = self.home / "data" / "serving_snapshot" / "AAPL" / stamp / "manifest.json"
        self.file = publish(self.home, "serving_snapshot", "AAPL", snapshot.to_json(), stamp=stamp)
        publish(self.home, "lstm_backtest", "AAPL", {"forecasts": None})

    def problem_of(self, answer):
        """Return the reason why an answer is wrong, or None."""
        if answer.status_code != 200:
            return f"{answer.status_code} {answer.text[:300]}"
        body = answer.json()
        if "model_version" not in body:
            return None
        if body["current_price"] not in self.closes:
            return f"current_price {body['current_price']} was never published"
        if body["model_type"] == "lstm":
            expected = body["current_price"] * (1 + 0.01 * int(body["model_version"]))
            if body["predictions"][0]["price"] != pytest.approx(expected, rel=1e-5):
                return f"{body['predictions'][0]} is not from version {body['model_version']}"
        return None


class Clients:
    """Clients that ask until they are stopped."""

    def __init__(self, url, problem_of, count=2):
        self.url, self.problem_of = url, problem_of
        self.answers, self.problems, self.stopped = Counter(), [], threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def _ask(self, number):
        draw = random.Random(number)
        with httpx.Client(base_url=self.url, timeout=PATIENCE) as client:
            while not self.stopped.wait(0.02):
                what = draw.choice(["price", "price", "signal", "chart"])
                if what == "chart":
                    answer = client.get("/api/v1/ml/tickers/AAPL/chart")
                else:
                    answer = client.post(f"{PREDICT}/{what}", json={"ticker": "AAPL", "use_cache": draw.random() < 0.5})
                self.answers[answer.status_code] += 1
                if problem := self.problem_of(answer):
                    self.problems.append(problem)


def truncated(content, draw):
    return content[: draw.randrange(len(content))]


def flipped(content, draw):
    """Flip one bit, so that the document changes."""
    while True:
        damage = bytearray(content)
        damage[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        try:
            unseal(bytes(damage))
        except ValueError:
            return bytes(damage)


def edited(content, _):
    return content.replace(b'"close": ', b'"close": 9', 1)


def damage_snapshot(world, draw):
    damage = draw.choice([truncated, flipped, edited])
    world.file.write_bytes(damage(world.file.read_bytes(), draw))
    return "snapshots", "AAPL"


def damage_new_snapshot(world, draw):
    """As a disk that loses the end of a file just written."""
    world.publish()
    world.file.write_bytes(truncated(world.file.read_bytes(), draw))
    return "snapshots", "AAPL"


def damage_snapshot_and_its_copy(world, draw):
    for file in (world.file, world.copy):
        file.write_bytes(truncated(file.read_bytes(), draw))
    return "snapshots", "AAPL"


def damage_chart(world, draw):
    file = world.home / "data" / "lstm_backtest" / "AAPL" / "current.json"
    file.write_bytes(flipped(file.read_bytes(), draw))
    return "snapshots", "AAPL"


def shorten(world, _):
    """Data that end before the models', as of a shortened price file."""
    world.publish(as_of=date(2012, 5, 31), close=1.0)
    return "models", "lstm-AAPL"


def turn_the_clock(world, draw):
    """No fault of the service: the answers say how old their data are."""
    moment = draw.choice([datetime(2001, 1, 1, tzinfo=UTC), datetime(2013, 3, 4, tzinfo=UTC)])
    world.app.state.predictor._clock = lambda: moment
    return None, None


def registry_talks_nonsense(world, draw):
    world.registry.mode = draw.choice(list(NONSENSE))
    return "registry", None


def registry_drips(world, draw):
    world.registry.mode = draw.choice(list(SLOW))
    return "registry", None


def new_data_while_the_registry_talks_nonsense(world, draw):
    registry_talks_nonsense(world, draw)
    world.publish()
    return "registry", None


def damage_copies_while_the_registry_talks_nonsense(world, draw):
    for copy in world.models.glob("*/*.onnx"):
        copy.write_bytes(truncated(copy.read_bytes(), draw))
    return new_data_while_the_registry_talks_nonsense(world, draw)


def promote_a_broken_version(world, draw):
    world.promote(damage=lambda onnx: truncated(onnx, draw))
    return "models", "lstm-AAPL"


def promote_a_version_whose_file_is_damaged(world, draw):
    world.registry.damage = lambda onnx: flipped(onnx, draw)
    world.promote()
    return "models", "lstm-AAPL"


FAULTS = (
    damage_snapshot,
    damage_new_snapshot,
    damage_snapshot_and_its_copy,
    damage_chart,
    shorten,
    turn_the_clock,
    registry_talks_nonsense,
    registry_drips,
    new_data_while_the_registry_talks_nonsense,
    damage_copies_while_the_registry_talks_nonsense,
    promote_a_broken_version,
    promote_a_version_whose_file_is_damaged,
)


def is_named(health, part, name):
    """Return True if /health names the fault: the part, and its trouble."""
    if part is None:
        return health["status"] == "ok"
    wrong = health[part]["state"] != "ok" if part == "registry" else name in health[part]["problems"]
    return wrong and health["status"] == "degraded"


def repair(world):
    world.registry.mode, world.registry.damage = "ok", bytes
    world.app.state.predictor._clock = lambda: datetime.now(UTC)
    world.promote()
    world.publish()


@pytest.mark.parametrize("trials", [20, pytest.param(500, marks=pytest.mark.long)])
def test_no_fault_gives_a_wrong_number_or_a_5xx_and_health_names_it(tmp_path, trials):
    draw = random.Random(45)
    faults = [draw.choice(FAULTS) for _ in range(trials - len(FAULTS))] + list(FAULTS)
    draw.shuffle(faults)
    slowest = Counter()
    with bad_registry() as registry:
        world = World(tmp_path, registry)
        with live_app(world.app) as url, httpx.Client(base_url=url, timeout=PATIENCE) as client:

            def health():
                return client.get("/health").json()

            def is_repaired():
                answer = client.post(f"{PREDICT}/price", json={"ticker": "AAPL"}).json()
                newest = (str(world.version), 100.0 + world.count)
                return (answer["model_version"], answer["current_price"]) == newest and health()["status"] == "ok"

            wait_until(is_repaired)
            client.post(f"{PREDICT}/signal", json={"ticker": "AAPL"})
            with Clients(url, world.problem_of) as clients:
                for number, fault in enumerate(faults):
                    start = time.monotonic()
                    part, name = fault(world, draw)
                    try:
                        wait_until(lambda part=part, name=name: is_named(health(), part, name))
                    except AssertionError:
                        pytest.fail(f"trial {number}, {fault.__name__}: not named by {health()}")
                    slowest[fault.__name__] = max(slowest[fault.__name__], round(time.monotonic() - start, 1))
                    repair(world)
                    try:
                        wait_until(is_repaired)
                    except AssertionError:
                        pytest.fail(f"trial {number}, {fault.__name__}: not repaired: {health()}")
                    assert clients.problems == [], (number, fault.__name__)
    print(
        f"{trials} trials, {clients.answers.total()} answers; seconds until /health named it, at most:",
        *slowest.items(),
    )
    assert set(clients.answers) == {200}
