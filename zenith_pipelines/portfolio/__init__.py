"""Books: reading one from a file, and its risk from the prices and snapshots of a home."""
