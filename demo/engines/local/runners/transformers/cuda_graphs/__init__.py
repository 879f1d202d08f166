"""The path of a GPU: a transformers model over memory that never moves, so that a whole step can be captured."""
