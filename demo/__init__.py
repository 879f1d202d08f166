"""Token streaming, shown: one generation, one log of timed tokens, several ways to deliver it."""

__version__ = "0.3.0"
