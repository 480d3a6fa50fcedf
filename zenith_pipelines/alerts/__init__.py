"""Alerts: their texts, their receivers, their delivery, and the daily digest."""
