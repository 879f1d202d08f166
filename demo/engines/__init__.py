"""What is an Engine: it turns requests into events."""
