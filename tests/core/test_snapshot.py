from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from zenith_core.risk.forecast_distribution import LEVELS, ForecastDistribution
from zenith_core.snapshot import ServingSnapshot

SESSIONS = (date(2024, 1, 2),)
EARLIER = ServingSnapshot(
    "AAPL", "d0", "earlier", date(2023, 12, 29), 8.0, "USD", 0.03, np.full((2, 3), 1 / 3, dtype=np.float32), SESSIONS
)


@pytest.fixture
def snapshot():
    window = np.ones((2, 4), dtype=np.float32)
    return ServingSnapshot(
        "AAPL", "d1", "today", date(2024, 1, 1), 9.0, "USD", 0.02, window, SESSIONS, other_specs={"earlier": EARLIER}
    )


def test_a_snapshot_has_the_inputs_of_its_own_and_of_other_feature_specs(snapshot):
    assert snapshot.for_spec("today") is snapshot
    assert snapshot.for_spec("earlier") is EARLIER
    assert snapshot.for_spec("never declared") is None


def test_the_inputs_of_other_specs_survive_json(snapshot):
    copy = ServingSnapshot.from_json(snapshot.to_json()).other_specs
    assert list(copy) == ["earlier"]
    assert copy["earlier"].window.dtype == np.float32
    np.testing.assert_array_equal(copy["earlier"].window, EARLIER.window)
    assert replace(copy["earlier"], window=None) == replace(EARLIER, window=None)


def test_a_snapshot_of_an_older_release_holds_its_own_inputs_alone(snapshot):
    document = snapshot.to_json()
    del document["other_specs"], document["calendar_end"], document["distribution"]
    older = ServingSnapshot.from_json(document)
    assert (older.other_specs, older.calendar_end, older.distribution) == ({}, None, None)


def test_the_distribution_survives_json(snapshot):
    levels = np.array(LEVELS)
    rows = np.tile(levels, (30, 1))
    distribution = ForecastDistribution("2", "d1", np.full(30, 0.02), levels, rows, -np.ones((30, 3)), rows, rows)
    copy = ServingSnapshot.from_json(replace(snapshot, distribution=distribution).to_json()).distribution

    assert copy.to_dict() == distribution.to_dict()


def test_the_end_of_the_calendar_survives_json(snapshot):
    ending = replace(snapshot, calendar_end=date(2024, 1, 1))
    assert ServingSnapshot.from_json(ending.to_json()).calendar_end == date(2024, 1, 1)
