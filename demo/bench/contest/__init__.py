"""The contest: this server and its peers, in turns, on the same weights. Knows peers only as contestants."""
