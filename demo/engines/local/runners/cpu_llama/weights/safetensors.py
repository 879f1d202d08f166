"""A Llama in a folder of safetensors, as transformers saves it."""

import json
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import LlamaConfig, MistralConfig, PreTrainedConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME

from demo.engines.local.runners.cpu_llama.kernels import find_missing_kernels
from demo.engines.local.runners.cpu_llama.shape import Shape, compute_frequencies
from demo.engines.local.runners.cpu_llama.weights.checkpoint import Checkpoint
from demo.engines.local.runners.cpu_llama.weights.matrix import ROUNDED_ROWS, Matrix, pack_plain, round_to_eight_bits

CONFIGS: dict[str, type[PreTrainedConfig]] = {"llama": LlamaConfig, "mistral": MistralConfig}
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}  # by safetensors' names
ROPE_TYPES = ("default", "linear", "llama3")  # whose angles do not depend on the context's length
NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


class LlamaFolder(Checkpoint):
    """A folder's config and tensors. Raises OSError or ValueError where it has no config that can be read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))

    @cached_property
    def config(self) -> Any:
        """A PreTrainedConfig, with transformers' defaults for what the folder does not say."""
        return CONFIGS[self._config["model_type"]].from_dict(dict(self._config))

    @property
    def shape(self) -> Shape:
        config = self.config
        return Shape(
            layers=config.num_hidden_layers,
            hidden=config.hidden_size,
            heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads,
            head_size=config.head_dim,
            mlp=config.intermediate_size,
            vocabulary=config.vocab_size,
            context=config.max_position_embeddings,
            epsilon=config.rms_norm_eps,
        )

    @property
    def is_plain(self) -> bool:
        return True

    def find_unsupported_reason(self) -> str:
        return self.find_unsupported_config() or self._find_unsupported_weights() or find_missing_kernels()

    def find_unsupported_config(self) -> str:
        """Why `build_llama` cannot build a model of this config; empty where it can."""
        if (kind := self._config["model_type"]) not in CONFIGS:
            return f"{kind} is not of the Llama family"
        if self._config.get("quantization_config"):
            return "its weights are quantized in a way that only transformers reads"
        if self._config.get("attention_bias") or self._config.get("mlp_bias"):
            return "its projections have biases"
        if getattr(self.config, "sliding_window", None):
            return "its attention has a sliding window"
        if self.config.hidden_act != "silu":
            return f"its activation is {self.config.hidden_act}"
        if self._rope["rope_type"] not in ROPE_TYPES or self._rope.get("partial_rotary_factor", 1) != 1:
            return "it scales its rotary embeddings"
        return ""

    def _find_unsupported_weights(self) -> str:
        if not self._files:
            return "its weights are not in safetensors files"
        if not self.config.tie_word_embeddings and self.tensor_shape("output.weight") is None:
            return f"it has no {self.tensor_name('output.weight')}"
        unsupported = sorted(set(self._dtypes) - set(DTYPES))
        return f"it has weights of type {unsupported[0]}" if unsupported else ""

    @property
    def dtype(self) -> str:
        """torch's name of the dtype of most weights."""
        ((dtype, _),) = Counter(self._dtypes).most_common(1)
        return str(DTYPES[dtype]).removeprefix("torch.")

    @property
    def _dtypes(self) -> list[str]:
        """Safetensors' name of each tensor's dtype."""
        return [str(self._shards[file].get_slice(name).get_dtype()) for name, file in self._files.items()]

    def tensor_name(self, name: str) -> str:
        *at, part, kind = name.split(".")
        return f"model.layers.{at[1]}.{PARTS[part]}.{kind}" if at else f"{NAMES[part]}.{kind}"

    def tensor_shape(self, name: str) -> tuple[int, ...] | None:
        file = self._files.get(stored_name := self.tensor_name(name))
        return None if file is None else tuple(self._shards[file].get_slice(stored_name).get_shape())

    def read(self, name: str) -> Tensor:
        return self._copy(name).float()

    def embed(self, name: str) -> Callable[[Tensor], Tensor]:
        stored_name = self.tensor_name(name)
        stored: Tensor = self._shards[self._files[stored_name]].get_tensor(stored_name)
        return lambda ids: stored[ids].float()

    def pack(self, name: str, rounded: bool = False) -> Matrix:
        weights = self._copy(name)
        if rounded:
            return round_to_eight_bits(rows.float() for rows in weights.split(ROUNDED_ROWS))
        return pack_plain(weights)

    def frequencies(self) -> Tensor:
        if self._rope["rope_type"] == "default":
            return compute_frequencies(self._rope["rope_theta"], self.shape.head_size)
        frequencies: Tensor = ROPE_INIT_FUNCTIONS[self._rope["rope_type"]](self.config)[0]
        return frequencies

    @property
    def _rope(self) -> Any:
        return self.config.rope_parameters

    @cached_property
    def _shards(self) -> dict[Path, Any]:
        """The files that hold the weights, mapped into memory."""
        return {path: _open(path) for path in self._list_paths()}

    @cached_property
    def _files(self) -> dict[str, Path]:
        """The file that holds a tensor, by the tensor's name."""
        return {name: path for path, shard in self._shards.items() for name in shard.offset_keys()}

    def _list_paths(self) -> list[Path]:
        """The files that transformers would load."""
        if (single := self.folder / SAFE_WEIGHTS_NAME).exists():
            return [single]
        if not (index := self.folder / SAFE_WEIGHTS_INDEX_NAME).exists():
            return []
        return sorted({self.folder / name for name in json.loads(index.read_text("utf-8"))["weight_map"].values()})

    def _copy(self, name: str) -> Tensor:
        """A tensor that is to be copied: its file's mapping is closed with it, and leaves the memory.

        transformers rotates dimensions i and i + half of a head together, the kernels 2i and 2i + 1.
        """
        stored_name = self.tensor_name(name)
        stored: Tensor = _open(self._files[stored_name]).get_tensor(stored_name)
        if name.endswith(("attn_q.weight", "attn_k.weight")):
            stored = stored.unflatten(0, (-1, 2, self.shape.head_size // 2)).transpose(1, 2).flatten(0, 2)
        return stored


def _open(path: Path) -> Any:
    return safe_open(path, "pt")
