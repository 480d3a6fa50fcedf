"""Promotion to Production, and publishing for serving."""
