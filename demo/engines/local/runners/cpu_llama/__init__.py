"""The fast path: Llama-family models on a CPU, over weights as they are stored. Knows nothing of the worker."""
