"""Trade the signals on paper."""
