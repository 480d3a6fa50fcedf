"""The kind of model that answers each task, from one setting that both sides read."""

import pytest

from zenith_core.errors import UserError
from zenith_core.model_kinds.answers import ANSWERS, select_answers
from zenith_core.model_kinds.table import select_kinds
from zenith_pipelines.settings import Settings as PipelinesSettings
from zenith_serving.settings import Settings as ServingSettings

THREE = select_kinds("lstm,gru,ensemble")


def test_the_first_kind_of_each_task_answers_by_default():
    assert ANSWERS.for_all == {"price": "lstm", "signal": "ensemble"}
    assert ANSWERS.of("AAPL") == ANSWERS.for_all


def test_a_choice_is_for_all_tickers_or_for_one():
    answers = select_answers(" price = gru , aapl:price=lstm,EURUSD=X:signal=ensemble", THREE)

    assert answers.of("MSFT") == {"price": "gru", "signal": "ensemble"}
    assert answers.of("AAPL") == {"price": "lstm", "signal": "ensemble"}
    assert answers.of("EURUSD=X") == {"price": "gru", "signal": "ensemble"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gru", "gru has another form: write price=gru, or AAPL:price=gru for one ticker"),
        (":price=gru", ":price=gru has another form: write price=gru, or AAPL:price=gru for one ticker"),
        ("volume=gru", "no task volume; there are price, signal"),
        ("price=rnn", "no price model rnn in use; there is lstm, gru: ZENITH_MODELS adds others"),
        ("signal=gru", "no signal model gru in use; there is ensemble: ZENITH_MODELS adds others"),
        ("../etc:price=gru", "../etc is not a ticker: expected 1 to 15 of A-Z, 0-9, '.', '-', '=', '^', such as PETR4"),
        ("AAPL:price=gru,aapl:price=lstm", "aapl:price=lstm is the second entry for the same question: keep one"),
    ],
)
def test_a_wrong_choice_is_refused_in_one_line(text, message):
    with pytest.raises(UserError) as refusal:
        select_answers(text, THREE)
    assert str(refusal.value).startswith(f"ZENITH_ANSWERS: {message}")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("settings", [PipelinesSettings, ServingSettings])
def test_pipelines_and_service_refuse_a_kind_that_is_not_in_use(settings, monkeypatch):
    monkeypatch.setenv("ZENITH_ANSWERS", "price=gru")
    with pytest.raises(UserError, match="^ZENITH_ANSWERS: no price model gru in use; there is lstm"):
        settings()

    monkeypatch.setenv("ZENITH_MODELS", "lstm,gru,ensemble")

    assert settings().zenith_answers == "price=gru"
