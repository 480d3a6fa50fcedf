"""API keys, rate limits, body limits, client identity."""
