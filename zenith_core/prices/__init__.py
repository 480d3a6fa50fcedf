"""Cleaning raw prices and checking them."""
