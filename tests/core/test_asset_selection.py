"""The run config of a training, from the options that commands and REST take."""

import pytest

from zenith_core.asset_selection import training_config


def config(**values):
    return {"config": values}


@pytest.mark.parametrize(
    ("options", "ops"),
    [
        ({}, {}),
        ({"epochs": 3}, {"lstm_model": config(epochs=3)}),
        ({"epochs": 3, "model_type": "ensemble"}, {}),
        ({"epochs": 3, "models": {"lstm": {"epochs": 4}}}, {"lstm_model": config(epochs=4)}),
        ({"models": {"ensemble": {"trees": 9}}}, {"ensemble_model": config(trees=9)}),
        (
            {"models": {"lstm": {"window": 90}}},
            {"lstm_model": config(window=90), "serving_snapshot": config(window=90)},
        ),
        ({"allow_earlier_end": True}, {"cleaned_prices_end_not_before_served": config(allow_earlier_end=True)}),
    ],
)
def test_only_what_differs_from_the_defaults_is_in_the_run_config(options, ops):
    assert training_config(**options) == ops
