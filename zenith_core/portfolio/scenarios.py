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
    moves = np.empty((len(universe.days) - horizon + 1, len(columns)), order="F")
    total = np.zeros(len(universe.days) + 1)
    for own, column, scale in zip(moves.T, columns, scales, strict=True):
        scores = universe.scores[:, column]
        present = np.isfinite(scores)
        is_whole = bool(present.all())
        total[1:] = (scores if is_whole else np.where(present, scores, 0.0)).cumsum()
        own[:] = (total[horizon:] - total[:-horizon]) * (scale / np.sqrt(horizon))
        if not is_whole:
            own[~present[: len(own)]] = np.nan
    return moves


def worst_scenarios(
    universe: Universe, moves: AnyFloats, values: Floats, horizon: int, count: int
) -> tuple[Scenario, ...]:
    """Return the `count` windows with the largest loss, none overlapping another, the worst first.

    moves:  log returns of the positions in each window, as of `scenario_moves`: (windows, n)
    values: of the positions (n,), negative if short
    """
    losses, missing = np.zeros(len(moves)), np.zeros(len(moves), dtype=np.int64)
    for own, value in zip(moves.T, values, strict=True):
        listed = np.isfinite(own)
        is_whole = bool(listed.all())
        growth = np.exp(own if is_whole else np.where(listed, own, 0.0))  # half the time of expm1
        growth -= 1
        losses -= value * growth
        if not is_whole:
            missing += ~listed
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
