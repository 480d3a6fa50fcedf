"""Sliding windows over a feature matrix."""

import numpy as np
from numpy.typing import NDArray


def input_windows(values: NDArray[np.floating], ends: NDArray[np.integer], length: int) -> NDArray[np.float32]:
    """Windows of `length` rows of `values` (n, features), each ending with (and including) row `ends[i]`.

    Returns float32 (len(ends), length, features). NaN passes through. Raises ValueError if a window
    would start before row 0 or end after the last row.
    """
    if ends.size and (ends.min() < length - 1 or ends.max() >= len(values)):
        raise ValueError(f"windows of {length} rows must end in rows {length - 1} to {len(values) - 1}")
    rows = ends[:, np.newaxis] + np.arange(1 - length, 1)
    cut: NDArray[np.float32] = values.astype(np.float32)[rows]
    return cut
