"""From ticker to response body. No HTTP."""
