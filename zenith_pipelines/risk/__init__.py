"""The scale model of all tickers: its packaged priors, its versions in MLflow, and the tickers' distributions."""
