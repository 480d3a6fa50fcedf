"""The report of a ticker as one document, which the service's page and the report's file draw."""
