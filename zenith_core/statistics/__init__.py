"""Tests and statistics that know nothing of this domain."""
