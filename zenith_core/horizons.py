"""How far ahead a forecast goes. Apart from `zenith_core.inference`, so that a client need not load numpy."""

HORIZONS = 30
"""Sessions."""
