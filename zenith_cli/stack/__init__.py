"""`zenith up`: the full stack on one machine, with servers from pip packages."""
