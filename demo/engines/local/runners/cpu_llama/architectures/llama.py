"""Llama (arXiv:2302.13971), and Mistral (arXiv:2310.06825), whose layers may see a window only."""

from demo.engines.local.runners.cpu_llama.architectures.architecture import Architecture

LLAMA = Architecture("llama", "llama", "LlamaConfig", rotates_halves=False)
MISTRAL = Architecture("llama", "mistral", "MistralConfig", rotates_halves=False)
