"""Names to addresses, with the cause of each failure."""
