"""Dagster definitions: assets, checks, jobs, schedules, sensors, resources. Bodies are thin; the work is elsewhere."""
