"""A random network of each family that the CPU kernels compute, as a folder and as a GGUF file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFWriter
from transformers import (
    Gemma3TextConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
    SmolLM3Config,
)

from demo.engines.local.runners.cpu_llama.architectures.families import BY_MODEL_TYPE
from demo.engines.local.runners.cpu_llama.weights.safetensors import NAMES, PARTS
from tests.engines.local.tiny import VOCABULARY, build_network
from tests.engines.local.tiny_files import add_vocabulary, write_file

MISTRAL = "mistral with a window"  # a GGUF file of it is a Llama's
LAYERS = 6
WINDOW = 40  # tokens
SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "pad_token_id": None,
    "bos_token_id": None,
}
LONG_ROPE = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "partial_rotary_factor": 0.75,
    "short_factor": [1.0, 1.1, 1.3, 1.5, 1.9, 2.5],
    "long_factor": [2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
    "original_max_position_embeddings": 256,
    "factor": 2.0,
}
CONFIGS: Mapping[str, Callable[[], PreTrainedConfig]] = {
    "llama": lambda: LlamaConfig(**SMALL),
    MISTRAL: lambda: MistralConfig(**SMALL, sliding_window=WINDOW),
    "qwen2": lambda: Qwen2Config(**SMALL),
    "qwen3": lambda: Qwen3Config(**SMALL, head_dim=16),
    "smollm3": lambda: SmolLM3Config(**SMALL, no_rope_layer_interval=4),
    "gemma3": lambda: Gemma3TextConfig(**SMALL, head_dim=16, query_pre_attn_scalar=16, sliding_window=WINDOW),
    "phi3": lambda: Phi3Config(
        **SMALL | {"hidden_size": 64, "num_hidden_layers": 2},
        rope_parameters=LONG_ROPE,
        original_max_position_embeddings=256,
    ),
}


def make_family(name: str) -> PreTrainedModel:
    """A random network, its norms and biases too."""
    network = build_network(CONFIGS[name]())
    for parameter in network.parameters():
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, mean=0.0 if name == "gemma3" else 1.0, std=0.2)
    return network


def write_family(path: Path, network: PreTrainedModel) -> Path:
    """A GGUF file of a network, named and numbered as llama.cpp's converter does."""
    config: Any = network.config
    family = BY_MODEL_TYPE[config.model_type]
    writer = GGUFWriter(path, family.gguf)
    _add_numbers(writer, config)
    add_vocabulary(writer)
    theirs = {**{value: key for key, value in PARTS.items()}, **{value: key for key, value in family.parts.items()}}
    names = {value: key for key, value in NAMES.items()}
    for name, weight in network.state_dict().items():
        *_, kind = name.split(".")
        if name.startswith("model.layers."):
            _, _, layer, part = name.removesuffix(f".{kind}").split(".", 3)
            name = f"blk.{layer}.{theirs[part]}.{kind}"
        elif name.startswith("lm_head") and config.tie_word_embeddings:
            continue
        else:
            name = f"{names[name.removesuffix(f'.{kind}')]}.{kind}"
        if name.endswith("norm.weight"):
            weight = weight + family.norm_offset
        if not family.rotates_halves and name.endswith(("attn_q.weight", "attn_k.weight")):
            size = config.hidden_size // config.num_attention_heads
            weight = weight.unflatten(0, (-1, 2, size // 2)).transpose(1, 2).flatten(0, 2)
        writer.add_tensor(name, weight.float().contiguous().numpy())
    if family.gguf == "phi3":
        for length in ("short", "long"):
            factors = np.array(config.rope_parameters[f"{length}_factor"], np.float32)
            writer.add_tensor(f"rope_factors_{length}.weight", factors)
    write_file(writer)
    return path


def _add_numbers(writer: GGUFWriter, config: Any) -> None:
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    rope = config.rope_parameters
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(size)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(rope.get("full_attention", rope)["rope_theta"])
    if config.model_type == "gemma3_text":
        writer.add_sliding_window(config.sliding_window)
    if config.model_type == "phi3":
        writer.add_rope_dimension_count(int(size * rope["partial_rotary_factor"]))
        writer.add_rope_scaling_orig_ctx_len(config.original_max_position_embeddings)
        writer.add_rope_scaling_attn_factors((1 + np.log(2) / np.log(256)) ** 0.5)
