"""Signals as entries of the ledger's chain."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from zenith_core.evaluation.ledger_chain import no_entries, replay, verify
from zenith_core.evaluation.signal_ledger import add_signal, replay_signals
from zenith_core.evidence.track_evidence import signal_evidence

DAYS = pd.bdate_range("2026-01-01", periods=40)
CLOSES = pd.Series(100 * 1.02 ** np.arange(40), DAYS)


def signal(day, **changes):
    return {
        **{"origin": f"{DAYS[day]:%Y-%m-%d}", "target_date": f"{DAYS[day + 5]:%Y-%m-%d}", "horizon": 5},
        **{"model_type": "ensemble", "model_version": 1, "sell": 0.2, "hold": 0.3, "buy": 0.5},
        **{"frequency": 0.5, "move": 0.01},
        **changes,
    }


def record(days, buy=lambda day: 0.5, closes=CLOSES):
    """Return the entries after a signal on each day, made in the evening."""
    entries = no_entries()
    for day in days:
        evening = datetime.combine(DAYS[day].date(), datetime.min.time(), UTC) + timedelta(hours=22)
        own = signal(day, buy=buy(day), sell=0.7 - buy(day))
        entries = add_signal(entries, "AAPL", evening, own, closes[: DAYS[day]])
    return entries


@pytest.mark.slow
def test_a_signal_is_kept_once_and_scored_at_its_session():
    entries = record(range(7))
    again = add_signal(entries, "AAPL", datetime(2026, 2, 1, tzinfo=UTC), signal(6), CLOSES[: DAYS[6]])

    table = replay_signals(entries)
    assert len(again) == len(entries)
    assert table["label"].tolist() == ["buy", "buy", *[""] * 5]
    assert (verify(entries).entries, len(replay(entries))) == (9, 0)  # 7 signals, 2 outcomes and no price forecast
    assert table["model_type"].unique().tolist() == ["ensemble"]


@pytest.mark.slow
def test_a_small_move_is_hold_and_a_missing_close_is_waited_for():
    flat = pd.Series(100.0, DAYS)
    assert replay_signals(record(range(6), closes=flat))["label"].tolist() == ["hold", *[""] * 5]
    gap = CLOSES.drop(DAYS[5])
    assert replay_signals(record(range(7), closes=gap))["label"].tolist() == ["", "buy", *[""] * 5]


@pytest.mark.slow
def test_served_signals_add_to_the_evidence_that_the_walk_forward_began():
    signals = replay_signals(record(range(30), buy=lambda day: 0.6 if day % 2 else 0.4))
    assert signal_evidence(signals, {})["5"]["since"] == f"{DAYS[0]:%Y-%m-%d}"
    start = {"5": {"since": "2020-01-01", "log_wealths": [2.0] * 4, "signals": 100, "buy_shares": 30.0}}
    evidence = signal_evidence(signals, start)["5"]
    assert evidence["since"] == "2020-01-01"
    assert evidence["log_e_value"] > 2.0  # all lean to buy, compared with the mean so far, and the price rises


def test_signals_made_after_their_session_do_not_count():
    late = replay_signals(add_signal(no_entries(), "AAPL", datetime(2026, 3, 1, tzinfo=UTC), signal(0), CLOSES))
    assert signal_evidence(late, {}) == {}
