"""The files that the pipelines publish, read and followed. No HTTP."""
