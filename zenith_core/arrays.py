"""Short names for the types of numpy arrays, and the columns of a table as one of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

AnyFloats = NDArray[np.floating]
"""Of any precision."""

AnyInts = NDArray[np.integer]
"""Of any width."""


def columns_of(table: "pd.DataFrame", names: Sequence[str]) -> Floats:
    """Return columns of floats, (rows, names). `table[list(names)].to_numpy()` takes ten times as long."""
    return np.column_stack([table[name].to_numpy() for name in names])
