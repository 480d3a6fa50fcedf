"""The report of one ticker as a file, its verdicts, and plots for the Dagster UI."""
