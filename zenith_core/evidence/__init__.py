"""Evidence that a forecast is better than a naive one, valid for many tickers and at every look."""
