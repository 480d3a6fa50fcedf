"""How far forecasts deserve to leave the naive one, judged on rows that did not train them."""

import numpy as np
from numpy.typing import NDArray


def shrinkage(forecasts: NDArray[np.floating], outcomes: NDArray[np.floating]) -> float:
    """The factor in [0, 1] to multiply forecast changes by: (n, horizons) each, in the same units, NaN left out.

    It is the least-squares slope of outcomes on forecasts through the origin, which is the naive forecast of no
    change (the efficiency regression of Mincer and Zarnowitz, 1969, without its intercept). Overconfident forecasts
    get a slope below 1, worthless ones about 0; beyond 1 would be learning from the rows that judge.
    """
    known = np.isfinite(outcomes)
    made, came = forecasts[known], outcomes[known]
    power = float(made @ made)
    return float(np.clip(made @ came / power, 0.0, 1.0)) if power > 0 else 0.0
