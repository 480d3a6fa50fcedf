from datetime import date

import numpy as np
import pytest

from zenith_core.snapshot import ModelInputs, ServingSnapshot

EARLIER = ModelInputs(np.full((2, 3), 1 / 3, dtype=np.float32), volatility=0.03)


@pytest.fixture
def snapshot():
    window = np.ones((2, 4), dtype=np.float32)
    origin, sessions = date(2024, 1, 1), (date(2024, 1, 2),)
    return ServingSnapshot("AAPL", "d1", "today", origin, 9.0, "USD", 0.02, window, sessions, (), {"earlier": EARLIER})


def test_a_snapshot_has_the_inputs_of_its_own_and_of_other_feature_specs(snapshot):
    assert snapshot.for_spec("today") is snapshot
    earlier = snapshot.for_spec("earlier")
    assert (earlier.feature_spec, earlier.volatility, earlier.close) == ("earlier", 0.03, 9.0)
    np.testing.assert_array_equal(earlier.price_inputs["window"], EARLIER.window[np.newaxis])
    assert snapshot.for_spec("never declared") is None


def test_the_inputs_of_other_specs_survive_json(snapshot):
    restored = ServingSnapshot.from_json(snapshot.to_json()).inputs
    assert list(restored) == ["earlier"]
    assert restored["earlier"].volatility == EARLIER.volatility
    assert restored["earlier"].window.dtype == np.float32
    np.testing.assert_array_equal(restored["earlier"].window, EARLIER.window)


def test_a_snapshot_of_an_older_version_holds_its_own_inputs_alone(snapshot):
    document = snapshot.to_json()
    del document["inputs"]
    assert ServingSnapshot.from_json(document).inputs == {}
