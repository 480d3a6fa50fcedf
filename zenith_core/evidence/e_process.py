"""E-processes: evidence against "the forecast loses no less than the naive one", valid at every look.

A bettor with a wealth of 1 bets before each outcome that the forecast will lose less than the naive one. If on average
it does not, no way of betting is expected to gain. So the wealth is the evidence: at any time that anybody chooses to
stop and look, its mean is at most 1, and it ever reaches 20 with a probability of at most 1 in 20 (Ville).

The wealth is the mean over BETS, each of which multiplies by 1 + bet * difference. No outcome takes more than
MAX_STAKE of it.

Forecasts `horizon` sessions ahead overlap. They are split into `horizon` series, each of which bets again when its last
bet is settled, and the e-value is the mean of their wealths. A look between origin and target may know half the
outcome, and could choose to stop before a loss: an open bet therefore counts as lost.

Sources: Choe and Ramdas (2024), Comparing Sequential Forecasters; Waudby-Smith and Ramdas (2024), Estimating Means of
Bounded Random Variables by Betting; Arnold, Henzi and Ziegel (2023), Sequentially Valid Tests for Forecast Calibration,
for the series; Ville (1939).
"""

import numpy as np

from zenith_core.arrays import Floats, Ints

BETS = (0.5, 1.0, 2.0, 4.0)
"""Multiples of a difference. For normal errors the best is 1 / share - 1 / 2, where `share` is the forecast's size as a
share of the true expectation: a half for a calibrated forecast, 3.5 for one that was shrunk to a quarter."""
MAX_STAKE = 0.5  # of the wealth, at the worst outcome


def log_wealths(differences: Floats, bounds: Floats) -> Floats:
    """Return the log wealth of each of BETS after each outcome of one series that does not overlap: (bets, n, ...).

    differences, bounds: (n, ...), with |differences| <= bounds, and bounds known before the outcomes
    """
    highest = np.divide(MAX_STAKE, bounds, out=np.zeros_like(bounds), where=bounds > 0)
    wealths: Floats = np.stack([np.log1p(np.minimum(bet, highest) * differences).cumsum(axis=0) for bet in BETS])
    return wealths


def log_mean(log_wealths: Floats) -> Floats:
    """Return the log of the mean wealth over the first axis."""
    largest = log_wealths.max(axis=0)
    mean: Floats = largest + np.log(np.exp(log_wealths - largest).mean(axis=0))
    return mean


def log_bets(
    differences: Floats, bounds: Floats, origins: Ints, targets: Ints, horizon: int, last_session: int
) -> Floats:
    """Return the log wealth of each of BETS on forecasts `horizon` sessions ahead, as of `last_session`. (bets,)

    differences, bounds:    (n,) by origin; NaN where the outcome is not known
    origins, targets:       the days of each row as numbers, increasing
    """
    is_open = np.isnan(differences)
    waits = is_open & (origins >= last_session)  # nothing of its outcome can be known
    gains = np.where(is_open, np.where(waits, 0.0, -bounds), differences)
    series = [rows for rows in split_series(origins, targets, horizon) if len(rows)]
    wealths = [log_wealths(gains[rows], bounds[rows])[:, -1] for rows in series]
    idle = [np.zeros(len(BETS))] * (horizon - len(wealths))
    return log_mean(np.array([*wealths, *idle]))


def log_e_value(
    differences: Floats, bounds: Floats, origins: Ints, targets: Ints, horizon: int, last_session: int
) -> float:
    """Return the log e-value: of the mean over `log_bets`, whose arguments it takes."""
    return float(log_mean(log_bets(differences, bounds, origins, targets, horizon, last_session)))


def split_series(origins: Ints, targets: Ints, horizon: int) -> list[Ints]:
    """Split rows into at most `horizon` series, within which no forecast begins before the one before it has matured.

    A row without a free series is left out: its ticker has more forecasts than sessions.
    """
    rows: list[list[int]] = [[] for _ in range(horizon)]
    for row, origin in enumerate(origins):
        free = next((series for series in rows if not series or targets[series[-1]] <= origin), None)
        if free is not None:
            free.append(row)
    return [np.array(series, dtype=np.int64) for series in rows]
