import pytest

from zenith_core.model_kinds.table import _ROWS, SIGNAL_HORIZONS
from zenith_pipelines.models.training import trainer_of_kind


@pytest.mark.parametrize("kind", _ROWS, ids=lambda kind: kind.name)
def test_each_row_has_a_trainer(kind):
    assert callable(trainer_of_kind(kind))


@pytest.mark.parametrize("horizon", SIGNAL_HORIZONS)
def test_an_ensemble_of_another_horizon_trains_under_its_own_name(horizon):
    (kind,) = [kind for kind in _ROWS if kind.name == f"ensemble_{horizon}"]

    assert trainer_of_kind(kind).args == (kind.name,)
