"""Qwen 2.5 (arXiv:2412.15115), with biases; Qwen 3 (arXiv:2505.09388), with a norm for each query and key."""

from demo.engines.local.runners.cpu_llama.architectures.architecture import PROJECTIONS, Architecture

QWEN_2 = Architecture("qwen2", "qwen2", "Qwen2Config", biases=PROJECTIONS)
QWEN_3 = Architecture("qwen3", "qwen3", "Qwen3Config", has_head_norms=True)
