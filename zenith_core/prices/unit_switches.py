"""Lasting changes of unit: pounds after pence, or thousands written with the decimal mark."""

import numpy as np

from zenith_core.arrays import Floats

_FACTORS = np.array([100.0, 1_000.0, 10_000.0, 1_000_000.0])
_TOLERANCE = np.log(1.3)  # the move of a session beside the change
_MOST_RETURNS = 2  # single rows in another unit that count as errors of the source


def unit_switch(close: Floats) -> tuple[int, float] | None:
    """Return (position, factor) of the first close in another unit than the one before; None if there is none.

    close: (n,), positive, of sessions with trading, without the moves of splits
    factor: 100 for pence after pounds, 0.01 for pounds after pence

    No close rises or falls a hundredfold in a session. A single row that reverts is an error of the source, which
    `reverting_jumps` finds; many of them, or a change that stays, are another unit.
    """
    moves = np.diff(np.log(close))
    sizes = np.log(_FACTORS)[:, None]
    distances = np.abs(np.abs(moves) - sizes)
    switches = np.flatnonzero((distances < _TOLERANCE).any(axis=0)) + 1
    if not len(switches):
        return None
    returns = {int(at) for at in switches if at + 1 in switches and moves[at - 1] * moves[at] < 0}
    lasting = set(switches.tolist()) - returns - {at + 1 for at in returns}
    if not lasting and len(returns) <= _MOST_RETURNS:
        return None
    first = min(lasting or returns)
    factor = float(_FACTORS[distances[:, first - 1].argmin()])
    return first, factor if moves[first - 1] > 0 else 1 / factor
