"""The runner of Llama-family models on a CPU, over weights as they are stored. Knows no engine."""
