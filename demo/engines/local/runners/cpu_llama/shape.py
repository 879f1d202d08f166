"""A Llama's shape, and its rotary frequencies."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a network, in numbers, tokens or layers."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    mlp: int
    vocabulary: int
    context: int
    epsilon: float
    post_norms: bool = False  # also after attention and after the MLP, before their results are added


def compute_frequencies(base: float, head_size: int) -> Tensor:
    """float32 [head size / 2], in radians per position: powers of `base` from 1 to nearly 1 / base."""
    frequencies: Tensor = base ** (-torch.arange(0, head_size, 2) / head_size)
    return frequencies


@dataclass(frozen=True, slots=True)
class Rotary:
    """`frequencies` float32 [tables, head size / 2], in radians per position; 0 leaves a dimension as it is.

    Rotated dimensions are multiplied by `scale`.
    """

    frequencies: Tensor
    scale: float = 1.0
