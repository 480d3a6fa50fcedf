"""Running jobs from the command line: above the definitions."""
