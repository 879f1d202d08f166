"""All families that the CPU kernels compute: Llama, Mistral, Qwen 2.5 and 3, SmolLM3, Gemma 3, Phi-4-mini."""

import math
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor

from demo.engines.local.runners.cpu_llama.architectures.architecture import (
    Architecture,
    Choices,
    GgufNumbers,
    LayerChoice,
    Unsupported,
    compute_frequencies,
    find_frequencies,
    list_windows,
    read_config_choices,
    read_gguf_choices,
)
from demo.engines.local.runners.cpu_llama.kernels.operations import GELU
from demo.engines.local.runners.cpu_llama.shape import Shape

# Llama (arXiv:2302.13971), and Mistral (arXiv:2310.06825), whose layers may see a window only.
LLAMA: Final = Architecture("llama", "llama", "LlamaConfig", rotates_halves=False)
MISTRAL: Final = Architecture("llama", "mistral", "MistralConfig", rotates_halves=False)

# Qwen 2.5 (arXiv:2412.15115), with biases; Qwen 3 (arXiv:2505.09388), with a norm for each query and key.
QWEN_2: Final = Architecture("qwen2", "qwen2", "Qwen2Config", biases=("attn_q", "attn_k", "attn_v"))
QWEN_3: Final = Architecture("qwen3", "qwen3", "Qwen3Config", has_head_norms=True)


# SmolLM3: a Llama of which some layers do not rotate (arXiv:2501.18795).
SMOLLM_3_GGUF_STEP: Final = 4  # llama.cpp's: each fourth layer does not rotate


def _read_smollm3_gguf(numbers: GgufNumbers) -> Choices:
    rotates = [(layer + 1) % SMOLLM_3_GGUF_STEP != 0 for layer in range(numbers.shape.layers)]
    return _choose_smollm3(read_gguf_choices(numbers), rotates)


def _read_smollm3_config(config: Any, shape: Shape) -> Choices:
    return _choose_smollm3(read_config_choices(config, shape), config.no_rope_layers)  # 1 where a layer does rotate


def _choose_smollm3(usual: Choices, rotates: list[bool]) -> Choices:
    """The second table of frequencies rotates nothing."""
    frequencies = torch.cat([usual.frequencies, torch.zeros_like(usual.frequencies)])
    layers = tuple(
        LayerChoice(rotation=0 if rotated else 1, window=layer.window)
        for rotated, layer in zip(rotates, usual.layers, strict=True)
    )
    return replace(usual, frequencies=frequencies, layers=layers)


SMOLLM_3: Final = Architecture(
    "smollm3",
    "smollm3",
    "SmolLM3Config",
    rotates_halves=False,
    read_gguf=_read_smollm3_gguf,
    read_config=_read_smollm3_config,
)


# Gemma 3 (arXiv:2503.19786), of text: more norms, GELU, a scaled embedding, and layers that see a window.

# llama.cpp's: each sixth layer sees all tokens; the base of the others' frequencies; the layers of the one model that
# scales its queries differently.
GEMMA_3_GGUF_STEP: Final = 6
GEMMA_3_LOCAL_BASE: Final = 10000.0
GEMMA_3_GGUF_ODD: Final = 62


def _read_gemma3_gguf(numbers: GgufNumbers) -> Choices:
    if numbers.shape.layers == GEMMA_3_GGUF_ODD:
        raise Unsupported("it scales its queries in its own way")
    if (scaling := numbers.get("rope.scaling.type", "none")) not in ("none", "linear"):
        raise Unsupported(f"it scales its rotary embeddings ({scaling})")
    factor = numbers.get("rope.scaling.factor", 1.0) if scaling == "linear" else 1.0
    far = compute_frequencies(numbers.get("rope.freq_base", 1e6), numbers.shape.head_size) / factor
    near = compute_frequencies(GEMMA_3_LOCAL_BASE, numbers.shape.head_size)
    window = numbers.get("attention.sliding_window", 0)
    windows = [0 if (layer + 1) % GEMMA_3_GGUF_STEP == 0 else window for layer in range(numbers.shape.layers)]
    return _choose_gemma3(far, near, windows, numbers.shape)


def _read_gemma3_config(config: Any, shape: Shape) -> Choices:
    if config.query_pre_attn_scalar != shape.head_size:
        raise Unsupported("it scales its queries in its own way")
    if config.attn_logit_softcapping or config.final_logit_softcapping:
        raise Unsupported("it caps its logits")
    far, near = (
        find_frequencies(config, config.rope_parameters[kind], shape.head_size)
        for kind in ("full_attention", "sliding_attention")
    )
    return _choose_gemma3(far, near, list_windows(config), shape)


def _choose_gemma3(far: Tensor, near: Tensor, windows: list[int], shape: Shape) -> Choices:
    layers = tuple(LayerChoice(rotation=1 if window else 0, window=window) for window in windows)
    return Choices(torch.stack([far, near]), layers, shape.head_size, embedding_scale=shape.hidden**0.5)


GEMMA_3: Final = Architecture(
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
    read_gguf=_read_gemma3_gguf,
    read_config=_read_gemma3_config,
)


# Phi-4-mini (arXiv:2503.01743): projections in one matrix, a part of each head rotates, and longer contexts stretch the
# rotation (LongRoPE, arXiv:2402.13753).
def _read_phi3_gguf(numbers: GgufNumbers) -> Choices:
    rotated = numbers.get("rope.dimension_count", numbers.shape.head_size)
    original = numbers.get("rope.scaling.original_context_length", numbers.shape.context)
    divisors = numbers.read("rope_factors_short.weight")
    if divisors is None and numbers.get("rope.scaling.type", "none") != "none":
        raise Unsupported("it scales its rotary embeddings")
    scale = numbers.get("rope.scaling.attn_factor", 1.0)
    windows = [numbers.get("attention.sliding_window", 0)] * numbers.shape.layers
    frequencies = compute_frequencies(numbers.get("rope.freq_base", 10000.0), rotated)
    return _choose_phi3(frequencies, divisors, scale, windows, original, numbers.shape)


def _read_phi3_config(config: Any, shape: Shape) -> Choices:
    rope = config.rope_parameters
    rotated = int(shape.head_size * rope.get("partial_rotary_factor", 1.0))
    frequencies = compute_frequencies(rope["rope_theta"], rotated)
    if rope["rope_type"] == "default":
        return _choose_phi3(frequencies, None, 1.0, list_windows(config), shape.context, shape)
    if rope["rope_type"] != "longrope":
        raise Unsupported("it scales its rotary embeddings")
    original = rope.get("original_max_position_embeddings") or config.original_max_position_embeddings
    factor = shape.context / original
    scale = rope.get("attention_factor") or math.sqrt(1 + math.log(max(factor, 1.0)) / math.log(original))
    return _choose_phi3(frequencies, torch.tensor(rope["short_factor"]), scale, list_windows(config), original, shape)


def _choose_phi3(
    frequencies: Tensor, divisors: Tensor | None, scale: float, windows: list[int], original: int, shape: Shape
) -> Choices:
    """The frequencies for texts of the `original` context: those for longer ones are other numbers."""
    rotated = frequencies if divisors is None else frequencies / divisors
    unrotated = torch.zeros(shape.head_size // 2 - len(rotated))
    layers = tuple(LayerChoice(window=window) for window in windows)
    return Choices(torch.cat([rotated, unrotated])[None], layers, 2 * len(rotated), scale, context=original)


PHI_3: Final = Architecture(
    "phi3",
    "phi3",
    "Phi3Config",
    is_fused=True,
    parts={"attn_qkv": "self_attn.qkv_proj", "ffn_up": "mlp.gate_up_proj"},
    read_gguf=_read_phi3_gguf,
    read_config=_read_phi3_config,
)

FAMILIES: Final = (LLAMA, MISTRAL, QWEN_2, QWEN_3, SMOLLM_3, GEMMA_3, PHI_3)
BY_GGUF: Final[dict[str, Architecture]] = {each.gguf: each for each in reversed(FAMILIES)}
BY_MODEL_TYPE: Final[dict[str, Architecture]] = {each.model_type: each for each in FAMILIES}
