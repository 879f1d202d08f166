"""How a family of models differs from Llama, as data: which norms, biases, rotation, activation and window it has.

Families are in `families`. Layers are computed by the same kernels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from demo.engines.local.runners.cpu_llama.kernels.operations import SILU
from demo.engines.local.runners.cpu_llama.shape import Shape


class Unsupported(Exception):
    """What in a file's numbers the kernels do not compute: a part of a sentence."""


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """The number of a layer's rotary frequencies, and how many tokens it sees; 0: all."""

    rotation: int = 0
    window: int = 0


@dataclass(frozen=True, slots=True)
class Choices:
    """What the layers of a model do differently from each other, and from those of a plain Llama."""

    frequencies: Tensor  # float32 [tables, head size / 2], in radians per position; 0 leaves a dimension as it is
    layers: tuple[LayerChoice, ...]
    rotated: int  # dimensions of each head that rotate
    scale: float = 1.0  # by which these are multiplied
    embedding_scale: float = 1.0
    context: int | None = None  # tokens for which the rotary frequencies hold, where that is less than the model's


@dataclass(frozen=True, slots=True)
class GgufNumbers:
    """A GGUF file's numbers of its architecture, its shape, and tensors of its own by name."""

    architecture: str
    metadata: Mapping[str, Any]
    shape: Shape
    read: Callable[[str], Tensor | None]

    def get(self, name: str, default: Any = None) -> Any:
        """The number `architecture.name`."""
        return self.metadata.get(f"{self.architecture}.{name}", default)


def compute_frequencies(base: float, head_size: int) -> Tensor:
    """float32 [head size / 2], in radians per position: powers of `base` from 1 to nearly 1 / base."""
    frequencies: Tensor = base ** (-torch.arange(0, head_size, 2) / head_size)
    return frequencies


def read_gguf_choices(numbers: GgufNumbers) -> Choices:
    """One kind of layers, whose rotary frequencies may be divided by `rope_freqs` (Llama 3)."""
    if numbers.get("rope.scaling.type", "none") != "none":
        raise Unsupported("it scales its rotary embeddings")
    shape = numbers.shape
    if numbers.get("rope.dimension_count", shape.head_size) != shape.head_size:
        raise Unsupported("it rotates a part of each head")
    frequencies = compute_frequencies(numbers.get("rope.freq_base", 10000.0), shape.head_size)
    if (divisors := numbers.read("rope_freqs.weight")) is not None:
        frequencies /= divisors
    return Choices(frequencies[None], (LayerChoice(),) * shape.layers, shape.head_size)


def read_config_choices(config: Any, shape: Shape) -> Choices:
    """One table of rotary frequencies; layers that see a window only where the config says so."""
    frequencies = find_frequencies(config, config.rope_parameters, shape.head_size)
    return Choices(
        frequencies[None], tuple(LayerChoice(window=window) for window in list_windows(config)), shape.head_size
    )


def find_frequencies(config: Any, rope: Mapping[str, Any], head_size: int) -> Tensor:
    """Rotary frequencies [head size / 2] of transformers' `rope_parameters`. Raises Unsupported."""
    if rope.get("partial_rotary_factor", 1) != 1:
        raise Unsupported("it rotates a part of each head")
    if rope["rope_type"] == "default":
        return compute_frequencies(rope["rope_theta"], head_size)
    if rope["rope_type"] == "linear":
        return compute_frequencies(rope["rope_theta"], head_size) / float(rope["factor"])
    if rope["rope_type"] != "llama3":  # the angles of others depend on the context's length
        raise Unsupported("it scales its rotary embeddings")
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS  # a GGUF file does without

    frequencies: Tensor = ROPE_INIT_FUNCTIONS["llama3"](config)[0]
    return frequencies


def list_windows(config: Any) -> list[int]:
    """How many tokens each layer sees; 0: all."""
    window = getattr(config, "sliding_window", None) or 0
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * config.num_hidden_layers
    if unknown := set(kinds) - {"sliding_attention", "full_attention"}:
        raise Unsupported(f"it has layers of type {min(unknown)}")
    return [window if kind == "sliding_attention" else 0 for kind in kinds]


@dataclass(frozen=True, slots=True)
class Architecture:
    """A family, by its name in GGUF files, and the `model_type` and class of its config in transformers.

    `parts` are transformers' names of weights that differ from Llama's. `norm_offset` is added to norms that
    transformers saves. `rotates_halves`: in GGUF files too, dimensions i and i + half rotate together, not 2i
    and 2i + 1. `is_fused`: queries, keys and values are one matrix, and so are gate and up.
    """

    gguf: str
    model_type: str
    config: str
    rotates_halves: bool = True
    biases: tuple[str, ...] = ()
    has_head_norms: bool = False
    has_post_norms: bool = False
    is_fused: bool = False
    activation: int = SILU
    norm_offset: float = 0.0
    parts: Mapping[str, str] = field(default_factory=dict)
    read_gguf: Callable[[GgufNumbers], Choices] = read_gguf_choices
    read_config: Callable[[Any, Shape], Choices] = read_config_choices  # of transformers' config

    @property
    def norms(self) -> tuple[str, ...]:
        """The norms of a layer."""
        head_norms = ("attn_q_norm", "attn_k_norm") if self.has_head_norms else ()
        post_norms = ("post_attention_norm", "post_ffw_norm") if self.has_post_norms else ()
        return ("attn_norm", "ffn_norm", *head_norms, *post_norms)
