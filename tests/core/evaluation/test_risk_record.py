"""The walk-forward record: no origin knows its future, and the figures are those of the tests on its rows."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.core.scale_pools import pool, swinging_prices
from zenith_core.evaluation.probability_scores import pinball_loss
from zenith_core.evaluation.risk_record import FIRST, PEER_STEP, RISK_COLUMNS, risk_table, walk_forward_record
from zenith_core.inference import QUANTILES
from zenith_core.risk.backtest import kupiec_test
from zenith_core.risk.forecast_distribution import LEVELS
from zenith_core.risk.peers import peer_quantiles
from zenith_core.risk.price_moves import ANCHORS, price_moves
from zenith_core.risk.scale_model import fit_scale_model
from zenith_core.risk.walk_forward import walk_forward

SESSIONS = 900


@pytest.fixture(scope="module")
def model():
    return replace(fit_scale_model(pool(), "prior-2015"), data_end="2015-12-31")


@pytest.fixture(scope="module")
def record(model):
    return walk_forward_record([model], price_moves(swinging_prices(99, SESSIONS)))


def test_it_begins_after_the_scale_was_learned_and_ends_with_the_history(record):
    history = swinging_prices(99, SESSIONS)

    assert "2015-12-31" < record["since"] == f"{history.index[FIRST]:%Y-%m-%d}"
    assert record["until"] == f"{history.index[-1]:%Y-%m-%d}"
    assert json.loads(json.dumps(record)) == record


@pytest.fixture(scope="module")
def daily(model):
    """The move of each session, and its quantiles in the forecast of production on the evening before."""
    moves = price_moves(swinging_prices(99, SESSIONS))
    rows = np.arange(FIRST, SESSIONS - 1)
    forecasts = walk_forward([model], moves, rows, (1,), kinds=1)
    return moves.moves[0, rows, 0], forecasts.scales * forecasts.quantiles[0, :, 0]


def test_the_five_per_cent_are_those_of_the_forecasts_of_each_day(record, daily):
    actual, quantiles = daily
    hits = actual < quantiles[:, LEVELS.index(0.05)]

    (tail,) = (one for one in record["horizons"]["1"]["tails"] if one["tail"] == 0.05)
    assert (tail["rows"], tail["hits"]) == (SESSIONS - FIRST - 1, hits.sum())
    assert tail["kupiec_p"] == kupiec_test(hits, 0.05).p_value > 0.01
    assert tail["fz0_gain"] > 0  # volatility comes and goes, and the tails are not the normal ones


def test_the_band_is_scored_as_it_is_served(record, daily):
    actual, quantiles = daily
    lower, upper = (quantiles[:, LEVELS.index(level)] for level in (0.05, 0.95))
    band = record["horizons"]["1"]["band"]

    assert band["rows"] == len(actual)
    assert band["coverage"] == ((lower <= actual) & (actual <= upper)).mean()
    own = quantiles[:, [LEVELS.index(level) for level in QUANTILES]]
    assert band["pinball"] == pytest.approx(pinball_loss(own, actual).mean())
    assert 0 < band["pinball"] < band["pinball_ewma"]
    assert band["p_value"] < 0.05


@pytest.mark.slow
def test_the_band_is_compared_with_its_peers_on_every_fifth_origin(record, daily):
    actual, quantiles = daily
    peers = record["horizons"]["1"]["peers"]

    own = quantiles[::PEER_STEP, [LEVELS.index(level) for level in QUANTILES]]
    assert peers["rows"] == len(own)
    assert peers["pinball"] == pytest.approx(pinball_loss(own, actual[::PEER_STEP]).mean())
    moves, rows = price_moves(swinging_prices(99, SESSIONS)), np.arange(FIRST, SESSIONS, PEER_STEP)
    for name, forecast in peer_quantiles(moves, rows, (1, 5, 20), QUANTILES).items():
        loss = pinball_loss(forecast[: len(own), 0], actual[::PEER_STEP]).mean()
        assert peers[f"pinball_{name}"] == pytest.approx(loss)


def test_a_test_of_few_separate_rows_is_withheld(record):
    assert record["horizons"]["5"]["band"]["p_value"] is not None
    assert record["horizons"]["20"]["band"]["p_value"] is None  # 570 rows are 29 that do not overlap


def test_touches_are_scored_beside_their_past_frequency(record):
    moves = price_moves(swinging_prices(99, SESSIONS))
    column = ANCHORS.index(5)
    rows = np.arange(FIRST, SESSIONS - 5)
    touched = moves.moves[2, :, column] <= np.log(0.97)  # a fall of 3 %
    frequency = np.array([touched[: row - 4].mean() for row in rows])

    (touch,) = (one for one in record["horizons"]["5"]["touch"] if one["pct"] == -3)
    assert (touch["rows"], touch["rate"]) == (len(rows), touched[rows].mean())
    assert touch["brier_frequency"] == pytest.approx(((frequency - touched[rows]) ** 2).mean())
    assert touch["brier"] < touch["brier_frequency"]
    assert [one["pct"] for one in record["horizons"]["1"]["touch"]] == [-10, -3, 3, 10]


def test_volatility_is_scored_against_the_squares_of_the_next_sessions(record):
    scores = record["horizons"]["5"]["volatility"]

    assert scores["rows"] == SESSIONS - FIRST - 5
    assert 0 < scores["qlike"] < scores["qlike_ewma"]


@pytest.mark.slow
def test_the_table_holds_the_forecasts_behind_the_record(record, model):
    prices = swinging_prices(99, SESSIONS)

    table = risk_table([model], prices)

    assert list(table.columns) == list(RISK_COLUMNS)
    assert (table["origin"].min(), table["origin"].max()) == (pd.Timestamp(record["since"]), prices.index[-1])
    for horizon, figures in record["horizons"].items():
        rows = table[table["horizon"] == int(horizon)].dropna(subset=["actual_loss"])
        for tail in figures["tails"]:
            hits = rows["actual_loss"] > rows[f"var_{100 * tail['tail']:g}"]
            assert (len(rows), hits.sum()) == (tail["rows"], tail["hits"])
        for touch in figures["touch"]:
            side = f"{'up' if touch['pct'] > 0 else 'down'}_{abs(touch['pct'])}"
            scored = rows.dropna(subset=[f"touched_{side}"])
            assert (len(scored), scored[f"touched_{side}"].mean()) == (touch["rows"], touch["rate"])
            errors = (scored[f"touch_{side}"] - scored[f"touched_{side}"]) ** 2
            assert errors.mean() == pytest.approx(touch["brier"])
        close = prices["close"]
        actual = 1 - close.loc[rows["target_date"]].to_numpy() / close.loc[rows["origin"]].to_numpy()
        np.testing.assert_allclose(rows["actual_loss"], actual, atol=1e-12)


def test_without_a_scale_learned_before_there_is_no_record(model):
    late = replace(model, data_end="2030-12-31")

    assert walk_forward_record([late], price_moves(swinging_prices(99, SESSIONS))) == {}
    assert walk_forward_record([model], price_moves(swinging_prices(99, FIRST))) == {}
