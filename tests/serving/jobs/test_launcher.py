"""A request to train gets an active run only if that run does what the request states."""

import pytest

from zenith_core.asset_selection import training_config
from zenith_serving.jobs.launcher import honours


def run_of(**request):
    return {"ops": training_config(**request)}


@pytest.mark.parametrize(
    ("run", "request_config", "expected"),
    [
        ({}, {}, True),
        (run_of(epochs=10), {}, True),  # it states nothing
        (run_of(epochs=10), {"epochs": 10}, True),
        (run_of(epochs=10), {"models": {"lstm": {"epochs": 10, "units": 50}}}, True),  # 50 is the default
        (run_of(models={"lstm": {"window": 90}}), {"models": {"lstm": {"window": 90}}}, True),
        ({}, {"epochs": 10}, False),
        (run_of(epochs=10), {"models": {"lstm": {"units": 32}}}, False),
        (run_of(models={"ensemble": {"trees": 20}}), {"models": {"ensemble": {"trees": 30}}}, False),
        ({}, {"allow_earlier_end": True}, False),
        (run_of(allow_earlier_end=True), {"allow_earlier_end": True}, True),
    ],
)
def test_each_option_that_a_request_states_must_be_that_of_the_run(run, request_config, expected):
    assert honours(run, training_config(**request_config)) is expected
