"""Where datasets live."""
