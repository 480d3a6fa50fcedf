"""The model registry in MLflow."""
