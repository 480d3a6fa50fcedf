"""Paper trading of the signals."""
