"""The general path: any causal language model through its own transformers forward, on any device."""
