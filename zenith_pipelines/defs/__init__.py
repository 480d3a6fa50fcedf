"""What Dagster sees: partitions, resources, assets, checks and jobs. Bodies are thin; the work is elsewhere."""
