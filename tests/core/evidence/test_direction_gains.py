"""Gains of bets on the direction of signals. Simulations have fixed seeds."""

import numpy as np
import pandas as pd
import pytest

from zenith_core.evaluation.ledger_chain import no_entries
from zenith_core.evaluation.signal_ledger import replay_signals
from zenith_core.evidence.direction_gains import buy_shares, direction_gains, past_means
from zenith_core.evidence.e_process import log_mean
from zenith_core.evidence.track_evidence import signal_evidence, signal_start
from zenith_core.features.targets import BUY, HOLD, SELL, UNKNOWN
from zenith_core.inference import SIGNALS

HORIZON = 5
EARLIER = ["buy", "sell", "hold"] * 200


def walk_forward(probabilities, labels):
    """Return walk-forward signals of consecutive sessions."""
    names = np.array([*SIGNALS, ""])[labels]
    columns = dict(zip(SIGNALS, np.asarray(probabilities).T, strict=True))
    return pd.DataFrame({"date": pd.bdate_range("2020-01-01", periods=len(labels)), **columns, "label": names})


def wealth(probabilities, labels, earlier=EARLIER):
    """Return the wealth of the bets on a walk-forward."""
    (own,) = signal_start(walk_forward(probabilities, labels), HORIZON, earlier).values()
    return float(np.exp(log_mean(np.array(own["log_wealths"]))))


def signals_that_know(random, share, sessions=1000):
    """Return probabilities and labels: the direction is `share` of the way from even odds to what the model says."""
    lean = random.uniform(-0.3, 0.3, sessions)
    moves = random.random(sessions) < 0.6
    is_buy = random.random(sessions) < 0.5 + share * lean
    probabilities = np.column_stack([0.6 * (0.5 - lean), np.full(sessions, 0.4), 0.6 * (0.5 + lean)])
    return probabilities, np.where(moves, np.where(is_buy, BUY, SELL), HOLD)


def test_a_bet_wins_on_the_side_that_is_likelier_than_on_average():
    shares, frequency, usual = np.full(4, 0.7), np.full(4, 0.5), np.full(4, 0.5)
    gains, bounds = direction_gains(shares, usual, frequency, np.array([BUY, SELL, HOLD, UNKNOWN]))
    np.testing.assert_allclose(gains, [0.4, -0.4, 0.0, np.nan])
    assert (np.abs(gains[:3]) <= bounds[:3] + 1e-12).all()


def test_the_mean_so_far_knows_no_later_value():
    assert past_means(np.array([0.6, 0.2, 0.1])).tolist() == pytest.approx([0.6, 0.6, 0.4])
    assert past_means(np.array([0.6, 0.2]), count=2, total=0.4).tolist() == pytest.approx([0.2, 1 / 3])


def test_signals_that_know_the_direction_are_discovered_also_if_they_are_too_sure():
    sure, calibrated = (wealth(*signals_that_know(np.random.default_rng(1), share)) for share in (0.5, 1.0))
    assert 20 < sure < calibrated


def test_a_model_of_the_size_of_moves_alone_is_no_evidence():
    random = np.random.default_rng(2)
    labels = signals_that_know(random, 0.0)[1]
    hold = np.where(labels == HOLD, 0.8, 0.2)
    assert wealth(np.column_stack([(1 - hold) / 2, hold, (1 - hold) / 2]), labels) == 1


def test_a_model_of_the_drift_alone_is_no_evidence():
    random = np.random.default_rng(3)
    labels = np.where(random.random(1000) < 0.6, BUY, SELL)  # unlike the labels before
    shares = 0.6 + random.normal(0, 0.01, 1000)
    assert wealth(np.column_stack([1 - shares, np.zeros(1000), shares]), labels) < 5


@pytest.mark.slow
def test_of_models_that_know_nothing_at_most_one_in_twenty_reaches_twenty_to_one():
    random = np.random.default_rng(4)
    reached = [wealth(*signals_that_know(random, 0.0, 300)) >= 20 for _ in range(60)]
    assert np.mean(reached) <= 0.05


def test_a_label_that_is_not_known_takes_no_part():
    probabilities, labels = signals_that_know(np.random.default_rng(5), 1.0, 300)
    late = labels.copy()
    late[-HORIZON:] = UNKNOWN
    assert wealth(probabilities, labels) == wealth(probabilities, late)  # without a session after them
    assert signal_start(walk_forward(probabilities, np.full(300, UNKNOWN)), HORIZON) == {}


def test_the_start_is_the_evidence_until_a_signal_is_scored():
    start = signal_start(walk_forward(*signals_that_know(np.random.default_rng(1), 1.0)), HORIZON, EARLIER)
    evidence = signal_evidence(replay_signals(no_entries()), start)
    assert evidence["5"]["since"] == "2020-01-01"
    assert evidence["5"]["log_e_value"] == pytest.approx(log_mean(np.array(start["5"]["log_wealths"])), abs=1e-5)
    assert start["5"]["signals"] == 1000


def test_the_share_of_buy_leaves_hold_out():
    assert buy_shares(np.array([[0.1, 0.6, 0.3]])).tolist() == pytest.approx([0.75])
