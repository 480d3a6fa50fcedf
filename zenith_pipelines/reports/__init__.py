"""The report of one ticker: a self-contained HTML page, and its plots for the Dagster UI and MLflow."""
