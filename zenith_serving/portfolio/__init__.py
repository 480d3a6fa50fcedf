"""Several tickers together: the forecast of all tickers, and answers about books and ranks. No HTTP."""
