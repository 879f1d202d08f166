"""A Llama's numbers, and the angles by which it turns."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Shape:
    """Under the names of the paper's own code."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    mlp: int
    vocabulary: int
    context: int
    epsilon: float


def spread_frequencies(base: float, head_size: int) -> Tensor:
    """float32 [head size / 2], radians a position: powers of `base` between 1 and nearly 1 / base."""
    frequencies: Tensor = base ** (-torch.arange(0, head_size, 2) / head_size)
    return frequencies
