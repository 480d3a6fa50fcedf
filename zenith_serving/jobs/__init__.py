"""Launching Dagster runs over GraphQL."""
