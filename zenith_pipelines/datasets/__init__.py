"""Versioned datasets: parquet tables and JSON facts."""
