"""Historical scenarios: past weeks, re-scaled to the volatility of today. numpy alone: serving uses it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zenith_core.arrays import AnyFloats, Floats
from zenith_core.portfolio.universe import Universe


@dataclass(frozen=True)
class Scenario:
    """The loss of a book if the sessions after `since` up to `until` came again, at the volatility of today.

    loss:     in the book's currency, positive
    missing:  positions that had no price then, and count as unmoved
    """

    since: str
    until: str
    loss: float
    missing: int


def scenario_moves(universe: Universe, columns: Sequence[int], scales: Floats, horizon: int) -> Floats:
    """Return log returns over each `horizon` consecutive sessions of the past: (windows, columns), NaN if not listed.

    The standardized returns of the window times `scales` (columns,), the standard deviations over the horizon of today.
    """
    scores = universe.scores.T[list(columns)]
    present = np.isfinite(scores)
    if not (is_whole := present.all()):
        scores[~present] = 0.0
    windows = len(universe.days) - horizon + 1
    moves = scores[:, :windows].copy()
    for session in range(1, horizon):
        moves += scores[:, session : session + windows]
    moves *= (scales / np.sqrt(horizon))[:, np.newaxis]
    if not is_whole:
        moves[~present[:, :windows]] = np.nan
    return moves.T


def worst_scenarios(
    universe: Universe, moves: AnyFloats, values: Floats, horizon: int, count: int
) -> tuple[Scenario, ...]:
    """Return the `count` windows with the largest loss, none overlapping another, the worst first.

    moves:  log returns of the positions in each window, as of `scenario_moves`: (windows, n)
    values: of the positions (n,), negative if short
    """
    listed = np.isfinite(moves)
    growth = np.exp(moves if (is_whole := listed.all()) else np.where(listed, moves, 0.0))
    growth -= 1  # half the time of expm1
    losses = -(growth @ values)
    missing = np.zeros(len(moves), np.int64) if is_whole else (~listed).sum(axis=1)
    worst: list[int] = []
    for window in np.argsort(-losses, kind="stable"):
        if len(worst) == count or losses[window] <= 0:
            break
        if all(abs(window - other) >= horizon for other in worst):
            worst.append(int(window))
    return tuple(
        Scenario(
            universe.days[max(window - 1, 0)],
            universe.days[window + horizon - 1],
            float(losses[window]),
            int(missing[window]),
        )
        for window in worst
    )
