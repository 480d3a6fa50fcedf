"""The Dagster code location: assets, checks, jobs, resources, price sources, and the models' training."""

import gc

# The imports of a run make a million objects that stay: to look for garbage among them took a tenth of their time.
gc.set_threshold(50_000, 20, 20)
