"""Indicators, model inputs, targets, and the leakage certificate."""
