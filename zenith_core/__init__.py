"""Pure numpy and pandas: cleaning, indicators, windows, labels, splits, metrics, backtest. No I/O."""
