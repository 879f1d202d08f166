"""Runners of any causal language model through its own transformers forward, on any device."""
