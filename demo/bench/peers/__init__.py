"""Who takes part in the contest, and how each is started, asked and ended. Knows no measure and no report."""
