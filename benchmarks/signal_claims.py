"""How often bets on signals without an edge ever reach the 20 to 1 that a claim of one ticker asks for.

Walk-forwards are simulated: 1,000 sessions of independent heavy-tailed returns (Student t, 4 degrees of freedom) whose
drift, a Sharpe ratio of 1.5, begins with the walk-forward, so that buy becomes more frequent than among all labels
before. No signal knows more than that. Two kinds of signal lean to a side: `constant` always to buy, `momentum` to the
side of the last 20 sessions. Looks are weekly, and a path counts if it is at 20 to 1 at any of them.

Ours:     bets centred on the past mean, as zenith_core.evidence makes them.
Without:  the same bets on the probabilities as they are.
"""

import argparse
from collections.abc import Callable

import numpy as np
from claims import FREEDOM, WEEK, YEAR, _wealth
from harness.figures import Figure, add_json, report
from numpy.random import Generator
from numpy.typing import NDArray

from zenith_core.evaluation.metrics import known_frequencies
from zenith_core.evidence.direction_gains import buy_shares, direction_gains, past_means
from zenith_core.features.targets import BUY, HOLD, SELL
from zenith_core.inference import SIGNALS

FIGURES = ("constant", "momentum")
SESSIONS, EARLIER, HORIZON = 1000, 600, 5
SHARPE = 1.5  # of the drift that begins with the walk-forward
THRESHOLD = 0.5  # of a label, in deviations of the horizon's return
LEAN = 0.1  # of the probability of buy against sell, away from one half
ODDS = 20.0
MEMORY = 20  # sessions of a momentum signal

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def returns(random: Generator) -> Floats:
    """Return daily returns of variance 1: EARLIER ones without a drift, then those of the walk-forward."""
    count = EARLIER + SESSIONS + HORIZON
    shocks = random.standard_t(FREEDOM, count) * np.sqrt((FREEDOM - 2) / FREEDOM)
    shocks[EARLIER:] += SHARPE / np.sqrt(YEAR)
    return shocks


def labels(daily: Floats) -> Ints:
    """Return the class of the HORIZON sessions after each one."""
    sums = np.concatenate([[0.0], daily.cumsum()])
    ahead = (sums[HORIZON:] - sums[:-HORIZON])[1:] / np.sqrt(HORIZON)
    return np.where(ahead > THRESHOLD, BUY, np.where(ahead < -THRESHOLD, SELL, HOLD)).astype(np.int64)


def constant(random: Generator, daily: Floats) -> Floats:
    """Return buy shares that always lean to buy."""
    return 0.5 + LEAN + 0.02 * random.standard_normal(len(daily))


def momentum(random: Generator, daily: Floats) -> Floats:
    """Return buy shares that lean to the side of the last MEMORY sessions."""
    sums = np.concatenate([np.zeros(MEMORY), daily.cumsum()])
    past = (sums[MEMORY:] - sums[:-MEMORY]) / np.sqrt(MEMORY)
    return 0.5 + LEAN * np.tanh(past) + 0.02 * random.standard_normal(len(daily))


def highest_wealths(
    random: Generator, lean: Callable[[Generator, Floats], Floats], paths: int, *, centred: bool
) -> Floats:
    """Return the highest wealth of each path at its weekly looks, (paths,)."""
    looks = np.arange(WEEK - 1, SESSIONS + HORIZON, WEEK)
    gained, bounds = (np.zeros((SESSIONS, paths)) for _ in range(2))
    for path in range(paths):
        daily = returns(random)
        every = labels(daily)
        own, label = lean(random, daily)[EARLIER : EARLIER + SESSIONS], every[EARLIER : EARLIER + SESSIONS]
        earlier = [SIGNALS[each] for each in every[: EARLIER - HORIZON]]
        frequency = buy_shares(known_frequencies(label, HORIZON, earlier))
        usual = past_means(own) if centred else np.full(SESSIONS, 0.5)
        gained[:, path], bounds[:, path] = direction_gains(own, usual, frequency, label)
    series = [
        _wealth(gained[first::HORIZON], bounds[first::HORIZON], looks - first, HORIZON) for first in range(HORIZON)
    ]
    highest: Floats = np.mean(series, axis=0).max(axis=0)
    return highest


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paths", type=int, default=2000, help="walk-forwards of each kind of signal")
    parser.add_argument("--seed", type=int, default=1)
    add_json(parser)
    arguments = parser.parse_args()
    figures = []
    for name, lean in (("constant", constant), ("momentum", momentum)):
        ours, without = (
            float((highest_wealths(random, lean, arguments.paths, centred=centred) >= ODDS).mean())
            for centred, random in ((each, np.random.default_rng([arguments.seed, 4])) for each in (True, False))
        )
        figures.append(Figure(name, ours, without))
        print(f"{name}: {ours:.1%} of {arguments.paths} paths reach {ODDS:.0f} to 1, without centring {without:.1%}")
    report("signal_claims", figures, arguments.json)


if __name__ == "__main__":
    main()
