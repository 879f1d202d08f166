"""A Llama's shape."""

from dataclasses import dataclass


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
