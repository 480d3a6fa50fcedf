"""All tickers at once: how far each will move, how they move together, rank probabilities, and the risk of a book."""
