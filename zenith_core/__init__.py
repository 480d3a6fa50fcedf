"""Pure numpy and pandas: cleaning, indicators, windows, labels, walk-forward folds, metrics, backtests. No I/O."""
