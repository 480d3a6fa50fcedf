"""The zenith command: the only package that imports both the pipelines and the service."""
