"""The HTTP API, and the server that it shares with the page."""
