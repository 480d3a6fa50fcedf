"""The zenith command: the one place that knows both the pipelines and the service."""
