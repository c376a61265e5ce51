"""The outside world in our units: a venue's orders, trades and balances; and a client of our own gateway."""
