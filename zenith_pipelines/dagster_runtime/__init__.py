"""The Dagster instance, its storage, run locks and dead runs: below the definitions."""
