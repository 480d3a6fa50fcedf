"""Short names for the types of numpy arrays."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

AnyFloats = NDArray[np.floating]
"""Of any precision."""

AnyInts = NDArray[np.integer]
"""Of any width."""
