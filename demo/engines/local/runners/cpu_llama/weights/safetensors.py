"""A Llama in a folder of safetensors, as transformers saves it."""

import json
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors import safe_open
from torch import Tensor
from transformers import GenerationConfig, PreTrainedConfig

from demo.engines.local.loading.source import ModelSource
from demo.engines.local.loading.weight_files import list_weight_files
from demo.engines.local.runners.cpu_llama.architectures.architecture import Architecture, Choices, Unsupported
from demo.engines.local.runners.cpu_llama.architectures.families import BY_MODEL_TYPE
from demo.engines.local.runners.cpu_llama.kernels.operations import GELU, SILU
from demo.engines.local.runners.cpu_llama.shape import Shape
from demo.engines.local.runners.cpu_llama.weights.checkpoint import Checkpoint, is_of_heads
from demo.engines.local.runners.cpu_llama.weights.matrix import Matrix, pack_rows
from demo.engines.local.runners.cpu_llama.weights.rounding import Round, choose_plain_packing
from demo.engines.local.runners.transformers.loading import list_configured_ends, load_tokenizer
from demo.engines.local.runners.transformers.tokenizer import Pretrained
from demo.engines.local.tokenizer import Tokenizer

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}  # by safetensors' names
ACTIVATIONS = {SILU: "silu", GELU: "gelu_pytorch_tanh"}
NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
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
        """A PreTrainedConfig, with transformers' defaults for what the folder does not say. Raises ValueError."""
        kind: type[PreTrainedConfig] = getattr(transformers, self.architecture.config)
        try:
            return kind.from_dict(dict(self._config))
        except StrictDataclassError as error:
            raise ValueError(str(error)) from error

    @property
    def architecture(self) -> Architecture:
        return BY_MODEL_TYPE[self._config["model_type"]]

    @cached_property
    def choices(self) -> Choices:
        return self.architecture.read_config(self.config, self.shape)

    @cached_property
    def shape(self) -> Shape:
        config = self.config
        return Shape(
            layers=config.num_hidden_layers,
            hidden=config.hidden_size,
            heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads,
            head_size=getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
            mlp=config.intermediate_size,
            vocabulary=config.vocab_size,
            context=config.max_position_embeddings,
            epsilon=config.rms_norm_eps,
            post_norms=self.architecture.has_post_norms,
        )

    @property
    def is_plain(self) -> bool:
        return True

    def check(self) -> None:
        if (kind := self._config["model_type"]) not in BY_MODEL_TYPE:
            raise Unsupported(f"{kind} is not of the Llama family")
        if self._config.get("quantization_config"):
            raise Unsupported("its weights are quantized in a way that only transformers reads")
        if self._config.get("attention_bias") or self._config.get("mlp_bias"):
            raise Unsupported("its projections have biases")
        activation = getattr(self.config, "hidden_activation", None) or self.config.hidden_act
        if activation != ACTIVATIONS[self.architecture.activation]:
            raise Unsupported(f"its activation is {activation}")
        _ = self.choices
        if not self._files:
            raise Unsupported("its weights are not in safetensors files")
        if not self.config.tie_word_embeddings and self.tensor_shape("output.weight") is None:
            raise Unsupported(f"it has no {self.tensor_name('output.weight')}")
        if unsupported := set(self._dtypes) - set(DTYPES):
            raise Unsupported(f"it has weights of type {min(unsupported)}")

    def load_tokenizer(self, source: ModelSource) -> tuple[Tokenizer, list[int]]:
        try:
            generation = GenerationConfig.from_pretrained(self.folder)
        except OSError:  # the folder has none
            generation = None
        return Pretrained(load_tokenizer(source, source.place)), list_configured_ends(self.config, generation)

    @property
    def dtype(self) -> str:
        ((dtype, _),) = Counter(self._dtypes).most_common(1)
        return str(DTYPES[dtype]).removeprefix("torch.")

    @property
    def _dtypes(self) -> list[str]:
        """Safetensors' name of each tensor's dtype."""
        return [str(self._shards[file].get_slice(name).get_dtype()) for name, file in self._files.items()]

    def tensor_name(self, name: str) -> str:
        *at, part, kind = self.find_stored(name)[0].split(".")
        parts = {**PARTS, **self.architecture.parts}
        return f"model.layers.{at[1]}.{parts[part]}.{kind}" if at else f"{NAMES[part]}.{kind}"

    def stored_shape(self, stored_name: str) -> list[int] | None:
        if (file := self._files.get(stored_name)) is None:
            return None
        shape: list[int] = self._shards[file].get_slice(stored_name).get_shape()
        return shape

    def read(self, name: str) -> Tensor:
        weights = self._copy(name).float()
        return weights + self.architecture.norm_offset if name.endswith("norm.weight") else weights

    def embed(self, name: str) -> Callable[[Tensor], Tensor]:
        stored_name = self.tensor_name(name)
        stored: Tensor = self._shards[self._files[stored_name]].get_tensor(stored_name)
        return lambda ids: stored[ids].float()

    def pack(self, name: str, round: Round | None = None) -> Matrix:
        weights = self._copy(name)
        return pack_rows(weights.shape, weights.__getitem__, choose_plain_packing(round))

    @cached_property
    def _shards(self) -> dict[Path, Any]:
        """The files that hold the weights, mapped into memory."""
        return {path: _open(path) for path in list_weight_files(self.folder)}

    @cached_property
    def _files(self) -> dict[str, Path]:
        """The file that holds a tensor, by the tensor's name."""
        return {name: path for path, shard in self._shards.items() for name in shard.offset_keys()}

    def _copy(self, name: str) -> Tensor:
        """A tensor that is to be copied: its file's mapping is closed with it, and leaves the memory.

        transformers rotates dimensions i and i + half of a head together, the kernels 2i and 2i + 1.
        """
        stored_name = self.tensor_name(name)
        _, first, end = self.find_stored(name)
        stored: Tensor = _open(self._files[stored_name]).get_tensor(stored_name)[first:end]
        return self.interleave(stored) if is_of_heads(name) else stored


def _open(path: Path) -> Any:
    return safe_open(path, "pt")
