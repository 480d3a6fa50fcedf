"""From a price source to a raw snapshot."""
