"""Where a model comes from, on which device it goes, and what every way to load it gives."""
