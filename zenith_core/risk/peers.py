"""The peers of a band, walk-forward: GARCH(1,1) with Student's t, and GJR with filtered historical simulation."""

from collections.abc import Sequence

import numpy as np

from zenith_core.arrays import Floats, Ints
from zenith_core.risk.garch import fit_garch, garch_quantiles, simulated_quantiles
from zenith_core.risk.price_moves import ANCHORS, PriceMoves

PEERS = ("garch", "gjr")
REFIT = 500  # sessions between two fits


def peer_quantiles(
    moves: PriceMoves, origins: Ints, horizons: Sequence[int], levels: Sequence[float]
) -> dict[str, Floats]:
    """Return by peer the quantiles of the log return from each of `origins`: (origins, horizons, levels).

    A fit knows the returns before its first origin. One over a suspect price counts as 0.
    """
    returns = np.nan_to_num(moves.moves[0, :-1, ANCHORS.index(1)])  # the one at k ends at session k + 1
    parts = []
    for start in range(int(origins[0]), int(origins[-1]) + 1, REFIT):
        block = origins[(origins >= start) & (origins < start + REFIT)]
        if len(block):
            garch, gjr = (fit_garch(returns[: block[0]], is_symmetric=each) for each in (True, False))
            parts.append(
                (
                    garch_quantiles(garch, returns, block, horizons, levels),
                    simulated_quantiles(gjr, returns, block, horizons, levels),
                )
            )
    return dict(zip(PEERS, (np.concatenate(each) for each in zip(*parts, strict=True)), strict=True))
