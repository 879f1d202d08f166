"""Phi-4-mini (arXiv:2503.01743): projections in one matrix, a part of each head rotates, and longer contexts stretch
the rotation (LongRoPE, arXiv:2402.13753)."""

import math
from typing import Any

import torch
from torch import Tensor

from demo.engines.local.runners.cpu_llama.architectures.architecture import (
    Architecture,
    Choices,
    GgufNumbers,
    LayerChoice,
    Unsupported,
    list_windows,
)
from demo.engines.local.runners.cpu_llama.shape import Rotary, Shape, compute_frequencies


def _read_gguf(numbers: GgufNumbers) -> Choices:
    rotated = numbers.get("rope.dimension_count", numbers.shape.head_size)
    original = numbers.get("rope.scaling.original_context_length", numbers.shape.context)
    divisors = numbers.read("rope_factors_short.weight")
    if divisors is None and numbers.get("rope.scaling.type", "none") != "none":
        raise Unsupported("it scales its rotary embeddings")
    scale = numbers.get("rope.scaling.attn_factor", 1.0)
    windows = [numbers.get("attention.sliding_window", 0)] * numbers.shape.layers
    frequencies = compute_frequencies(numbers.get("rope.freq_base", 10000.0), rotated)
    return _choose(frequencies, divisors, scale, windows, original, numbers.shape)


def _read_config(config: Any, shape: Shape) -> Choices:
    rope = config.rope_parameters
    rotated = int(shape.head_size * rope.get("partial_rotary_factor", 1.0))
    frequencies = compute_frequencies(rope["rope_theta"], rotated)
    if rope["rope_type"] == "default":
        return _choose(frequencies, None, 1.0, list_windows(config), shape.context, shape)
    if rope["rope_type"] != "longrope":
        raise Unsupported("it scales its rotary embeddings")
    original = rope.get("original_max_position_embeddings") or config.original_max_position_embeddings
    factor = shape.context / original
    scale = rope.get("attention_factor") or math.sqrt(1 + math.log(max(factor, 1.0)) / math.log(original))
    return _choose(frequencies, torch.tensor(rope["short_factor"]), scale, list_windows(config), original, shape)


def _choose(
    frequencies: Tensor, divisors: Tensor | None, scale: float, windows: list[int], original: int, shape: Shape
) -> Choices:
    """The frequencies for texts of the `original` context: those for longer ones are other numbers."""
    rotated = frequencies if divisors is None else frequencies / divisors
    unrotated = torch.zeros(shape.head_size // 2 - len(rotated))
    layers = tuple(LayerChoice(window=window) for window in windows)
    return Choices(Rotary(torch.cat([rotated, unrotated])[None], scale), layers, 2 * len(rotated), context=original)


PHI_3 = Architecture(
    "phi3",
    "phi3",
    "Phi3Config",
    is_fused=True,
    parts={"attn_qkv": "self_attn.qkv_proj", "ffn_up": "mlp.gate_up_proj"},
    read_gguf=_read_gguf,
    read_config=_read_config,
)
