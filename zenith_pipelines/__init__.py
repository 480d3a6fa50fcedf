"""The Dagster code location: assets, checks, jobs, resources, price sources, and the models' training."""
