"""Gemma 3 (arXiv:2503.19786), of text: more norms, GELU, a scaled embedding, and layers that see a window."""

from typing import Any, Final

import torch
from torch import Tensor

from demo.engines.local.runners.cpu_llama.architectures.architecture import (
    Architecture,
    Choices,
    GgufNumbers,
    LayerChoice,
    Unsupported,
    find_frequencies,
    list_windows,
)
from demo.engines.local.runners.cpu_llama.kernels.operations import GELU
from demo.engines.local.runners.cpu_llama.shape import Rotary, Shape, compute_frequencies

# llama.cpp's: each sixth layer sees all tokens; the base of the others' frequencies; the layers of the one model that
# scales its queries differently.
GGUF_STEP: Final = 6
LOCAL_BASE: Final = 10000.0
GGUF_ODD: Final = 62


def _read_gguf(numbers: GgufNumbers) -> Choices:
    if numbers.shape.layers == GGUF_ODD:
        raise Unsupported("it scales its queries in its own way")
    if (scaling := numbers.get("rope.scaling.type", "none")) not in ("none", "linear"):
        raise Unsupported(f"it scales its rotary embeddings ({scaling})")
    factor = numbers.get("rope.scaling.factor", 1.0) if scaling == "linear" else 1.0
    far = compute_frequencies(numbers.get("rope.freq_base", 1e6), numbers.shape.head_size) / factor
    near = compute_frequencies(LOCAL_BASE, numbers.shape.head_size)
    window = numbers.get("attention.sliding_window", 0)
    windows = [0 if (layer + 1) % GGUF_STEP == 0 else window for layer in range(numbers.shape.layers)]
    return _choose(far, near, windows, numbers.shape)


def _read_config(config: Any, shape: Shape) -> Choices:
    if config.query_pre_attn_scalar != shape.head_size:
        raise Unsupported("it scales its queries in its own way")
    if config.attn_logit_softcapping or config.final_logit_softcapping:
        raise Unsupported("it caps its logits")
    far, near = (
        find_frequencies(config, config.rope_parameters[kind], shape.head_size)
        for kind in ("full_attention", "sliding_attention")
    )
    return _choose(far, near, list_windows(config), shape)


def _choose(far: Tensor, near: Tensor, windows: list[int], shape: Shape) -> Choices:
    layers = tuple(LayerChoice(rotation=1 if window else 0, window=window) for window in windows)
    return Choices(Rotary(torch.stack([far, near])), layers, shape.head_size, embedding_scale=shape.hidden**0.5)


GEMMA_3 = Architecture(
    "gemma3",
    "gemma3_text",
    "Gemma3TextConfig",
    has_head_norms=True,
    has_post_norms=True,
    activation=GELU,
    norm_offset=1.0,
    parts={
        "ffn_norm": "pre_feedforward_layernorm",
        "post_attention_norm": "post_attention_layernorm",
        "post_ffw_norm": "post_feedforward_layernorm",
    },
    read_gguf=_read_gguf,
    read_config=_read_config,
)
