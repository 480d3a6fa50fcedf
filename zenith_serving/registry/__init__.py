"""MLflow without importing MLflow."""
