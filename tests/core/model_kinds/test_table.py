"""The table of the kinds of model, and the checks of their configuration."""

import pytest

from zenith_core.errors import NotAvailable, UserError
from zenith_core.model_kinds.answers import select_answers
from zenith_core.model_kinds.configuration import problem_of
from zenith_core.model_kinds.declaration import ModelKind
from zenith_core.model_kinds.options import EnsembleOptions, NetworkOptions, ensemble_options
from zenith_core.model_kinds.table import KINDS, MODEL_KINDS, TRAINING_ORDER, known_task, select_kinds, task_of
from zenith_pipelines.models.training import trainer_of_kind


def test_the_kinds_in_use_by_default_and_their_tasks():
    assert KINDS == ("lstm", "ensemble")
    assert TRAINING_ORDER == ("ensemble", "lstm")


def test_the_specified_configuration_is_the_default():
    network, trees = NetworkOptions(), EnsembleOptions()

    assert (network.layers, network.units, network.dropout, network.window) == (2, 50, 0.2, 60)
    assert (trees.trees, trees.boosting_rounds) == (100, 100)
    assert network.horizon == trees.horizon == 5


@pytest.mark.parametrize("text", ["gru, lstm ,ensemble", "lstm,ensemble,gru"])
def test_a_list_names_the_kinds_in_use_in_the_order_of_the_table(text):
    assert list(select_kinds(text)) == ["lstm", "gru", "ensemble"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lstm,ensemble,rnn", "ZENITH_MODELS: no model rnn; there are lstm, gru, ensemble, ensemble_1, ensemble_20"),
        ("lstm,gru", "ZENITH_MODELS names no signal model: add ensemble"),
        ("ensemble", "ZENITH_MODELS names no price model: add lstm"),
    ],
)
def test_a_wrong_list_is_refused_in_one_line(text, message):
    with pytest.raises(UserError) as refusal:
        select_kinds(text)
    assert str(refusal.value) == message


@pytest.mark.parametrize(("name", "task"), [("Big", "price"), ("a-b", "price"), ("all", "price"), ("x", "guess")])
def test_a_kind_that_cannot_be_named_or_has_no_task_is_refused(name, task):
    with pytest.raises(ValueError, match="^'?.* (cannot name a kind of model|has the task)"):
        ModelKind(name, task, "X", "An X.", "x:train")


def test_the_task_of_a_kind_comes_from_the_table_or_else_from_the_tag():
    assert task_of("lstm", "signal") == "price"
    assert task_of("gru") == "price"  # in the table, not in use
    assert task_of("prophet", "signal") == "signal"
    assert task_of("prophet", "weather") is None
    with pytest.raises(NotAvailable, match="no kind of model is named prophet"):
        known_task("prophet")


@pytest.mark.parametrize(
    ("configuration", "problem"),
    [
        ({}, None),
        ({"lstm": {"window": 10, "dropout": 0, "epochs": None}, "ensemble": {"trees": 1000}}, None),
        ({"lstm": {"window": 9}}, "lstm.window: Input should be greater than or equal to 10"),
        ({"lstm": {"window": 121}}, "lstm.window: Input should be less than or equal to 120"),
        ({"lstm": {"units": "32"}}, "lstm.units: Input should be a valid integer"),
        ({"ensemble": {"depth": 0}}, "ensemble.depth: Input should be greater than or equal to 1"),
        ({"gru": {}}, "the kinds of model are lstm, ensemble"),
        ({"ensemble": {"horizons": 3}}, f"ensemble takes {', '.join(EnsembleOptions.model_fields)}"),
    ],
)
def test_a_configuration_is_checked_against_the_declaration(configuration, problem):
    assert problem_of(configuration) == problem


@pytest.mark.parametrize("horizon", [1, 20])
def test_a_signal_has_a_row_for_each_of_several_horizons_from_one_declaration(horizon):
    kind = select_kinds(f"lstm,ensemble,ensemble_{horizon}")[f"ensemble_{horizon}"]

    assert kind.options().model_dump() == {**EnsembleOptions().model_dump(), "horizon": horizon}
    assert trainer_of_kind(kind).args == (kind.name,)
    assert select_answers(f"signal={kind.name}", {**MODEL_KINDS, kind.name: kind}).for_all["signal"] == kind.name


@pytest.mark.parametrize("options", [NetworkOptions, EnsembleOptions, ensemble_options(20)])
def test_every_option_has_bounds_and_names_them_in_its_description(options):
    for name, field in options.model_fields.items():
        bounds = {type(bound).__name__: getattr(bound, "ge", getattr(bound, "le", None)) for bound in field.metadata}
        assert field.description.endswith(f", {bounds['Ge']:g} to {bounds['Le']:g}."), name
