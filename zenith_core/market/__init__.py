"""Tickers, exchanges and trading sessions."""
