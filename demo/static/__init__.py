"""The page without a server, over recorded runs: `python -m demo.static OUT`."""
