"""Why a forecast differs from an earlier one, in sentences."""

import json
from dataclasses import replace

import pytest

from zenith_core.evaluation.forecast_changes import ServedForecast, explain, explain_changes

BEFORE = ServedForecast(
    made_at="2026-11-26T22:00:00+00:00",
    origin="2026-11-26",
    close=100.0,
    forecast=101.0,
    lower=95.0,
    upper=107.0,
    version=1,
    volatility=0.014,
    signal="hold",
    probability=0.4,
    reason="low_confidence",
    signal_version=3,
)
NOW = replace(BEFORE, made_at="2026-11-27T22:00:00+00:00", origin="2026-11-27")


def said(now, before=BEFORE, sessions=1, factor=1.0):
    """Return the sentences by topic."""
    topics = {}
    for change in explain_changes(now, before, ("lstm", "ensemble"), sessions, factor):
        topics.setdefault(change["topic"], []).append(change["says"])
    return topics


def test_new_prices_move_the_forecast_with_the_close_and_by_the_expectation():
    says = said(replace(NOW, close=104.0, forecast=104.52))
    assert says["prices"] == ["1 new session: the close went from 100.00 to 104.00 (+4.0%)."]
    assert says["forecast"] == [
        "The forecast moved by +3.5%: the close by +4.0%, and lstm expects +0.50% from there, before +1.00%."
    ]
    assert "version" not in says


def test_the_same_session_has_no_new_prices_or_a_corrected_close():
    same = replace(NOW, origin=BEFORE.origin)
    assert said(same, sessions=0)["prices"] == ["No new prices: both are made from the close of 2026-11-26."]
    assert said(replace(same, close=99.0), sessions=0)["prices"] == [
        "The close of 2026-11-26 was corrected from 100.00 to 99.00."
    ]
    assert said(same, sessions=0)["forecast"] == ["The forecast stays at 101.00."]


def test_another_version_of_either_model_is_named():
    assert said(replace(NOW, version=2, signal_version=4))["version"] == [
        "lstm version 2 answers instead of version 1.",
        "ensemble version 4 answers instead of version 3.",
    ]


def test_a_wider_scale_widens_the_band():
    says = said(replace(NOW, lower=92.0, upper=110.5, volatility=0.021))["band"]
    assert says == [
        "The band is 54% wider: ±9.6% instead of ±6.1% of the price.",
        "The volatility of a day went from 1.40% to 2.10%.",
    ]
    assert said(NOW)["band"] == ["The band is as wide as before, as a share of the price."]


def test_a_split_shows_the_earlier_forecast_in_todays_units():
    half = replace(NOW, close=51.0, forecast=51.51, lower=48.45, upper=54.57)
    says = said(half, factor=0.5)
    assert says["prices"] == [
        "A split or dividend since then multiplies earlier prices by 0.5: they are shown in today's units.",
        "1 new session: the close went from 50.00 to 51.00 (+2.0%).",
    ]
    assert says["forecast"] == [
        "The forecast moved by +2.0%: the close by +2.0%, and lstm expects +1.00% from there, before +1.00%."
    ]


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        (
            {"signal": "buy", "probability": 0.5, "reason": "model"},
            "The signal is buy (50%): The model finds this likelier than usual. Before it was hold (40%).",
        ),
        (
            {"probability": 0.42},
            "The signal stays hold (42%), before 40%: The model abstains: "
            "neither buy nor sell is much likelier than usual.",
        ),
    ],
)
def test_a_signal_is_explained_by_its_reason(now, sentence):
    assert said(replace(NOW, **now))["signal"] == [sentence]


def test_a_signal_that_is_not_kept_is_said_to_be_so_and_without_any_there_is_nothing():
    gone = replace(BEFORE, signal=None, probability=None, reason=None)
    assert said(NOW, gone)["signal"][0].endswith(". The one before is not kept.")
    assert "signal" not in said(replace(NOW, signal=None), gone)


def test_the_risk_is_the_loss_down_to_the_lower_end_of_the_band():
    assert said(replace(NOW, lower=92.0))["risk"] == [
        "One time in twenty the price is to fall by more than 8.0%, before 5.0%."
    ]


def test_another_scale_is_named_if_both_are_kept():
    assert "version" not in said(replace(NOW, scale_version="4"))
    assert said(replace(NOW, scale_version="4"), replace(BEFORE, scale_version="prior"))["version"] == [
        "Scale 4 sets the band instead of prior."
    ]


def test_decisions_since_the_earlier_forecast_are_gates_and_all_figures_are_json():
    decision = {"version": 2, "outcome": "refused", "reason": "loss: +9.0%"}
    decisions = {"lstm": [{**decision, "at": f"2026-11-{day}T02:00:00.000000Z"} for day in ("27", "26")]}
    kinds = {"price": "lstm", "signal": "ensemble"}
    closes = {"2026-11-26": 50.0, "2026-11-27": 51.0}

    answer = explain("AAPL", 5, [BEFORE, replace(NOW, close=51.0)], None, kinds, closes, decisions)

    assert answer["changes"][0]["figures"] == {"factor": 0.5}  # the close of the earlier origin, as it is today
    assert answer["changes"][1]["figures"]["sessions"] == 1
    assert answer["changes"][-1]["says"] == "lstm version 2 was refused 2026-11-27: loss: +9.0%."
    assert [change["topic"] for change in answer["changes"]].count("gate") == 1
    json.dumps(answer, allow_nan=False)
