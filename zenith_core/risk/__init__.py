"""The size of price moves: a scale learned from all tickers, quantiles of its errors, and risk read off them."""
