"""The REST routes, one module for each subject; `zenith_serving.app` puts them together."""
