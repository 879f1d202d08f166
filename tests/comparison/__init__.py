"""This project's server beside others, on the same weights, in one run: `python -m tests.comparison`."""
