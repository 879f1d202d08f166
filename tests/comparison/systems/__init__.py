"""The systems under test: how each is started and asked."""
