"""`zenith up`: the full stack on one machine, from servers that pip installs."""
