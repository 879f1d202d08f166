"""A Llama out of a GGUF file, its weights as they are stored there."""

from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import torch
from gguf import GGMLQuantizationType
from torch import Tensor

from demo.engines.local.loading.end_tokens import list_gguf_ends
from demo.engines.local.loading.gguf import read_model
from demo.engines.local.loading.gguf_tokenizer import load_tokenizer
from demo.engines.local.loading.source import ModelSource
from demo.engines.local.runners.cpu_llama.architectures.architecture import (
    Architecture,
    Choices,
    GgufNumbers,
    Unsupported,
)
from demo.engines.local.runners.cpu_llama.architectures.families import BY_GGUF
from demo.engines.local.runners.cpu_llama.shape import Shape
from demo.engines.local.runners.cpu_llama.weights.blocks import PLAIN, choose_packing, is_readable, unpack
from demo.engines.local.runners.cpu_llama.weights.checkpoint import Checkpoint, is_of_heads
from demo.engines.local.runners.cpu_llama.weights.matrix import Matrix, pack_rows
from demo.engines.local.runners.cpu_llama.weights.rounding import Round
from demo.engines.local.tokenizer import Tokenizer

WHOLE: Final = slice(None)


class GgufFile(Checkpoint):
    """A GGUF file's metadata and tensors, or those of all parts of a split one.

    Raises ModelError where a part is missing, OSError or ValueError where a file can't be read.
    """

    def __init__(self, path: Path) -> None:
        header = read_model(path)
        self.path = path
        self.metadata = header.metadata
        self.tensors = header.tensors

    @property
    def architecture(self) -> Architecture:
        return BY_GGUF[self._family]

    @property
    def _family(self) -> str:
        return str(self.metadata["general.architecture"])

    @cached_property
    def shape(self) -> Shape:
        heads, hidden = self._number("attention.head_count"), self._number("embedding_length")
        return Shape(
            layers=self._number("block_count"),
            hidden=hidden,
            heads=heads,
            kv_heads=self.metadata.get(f"{self._family}.attention.head_count_kv", heads),
            head_size=self.metadata.get(f"{self._family}.attention.key_length", hidden // heads),
            mlp=self._number("feed_forward_length"),
            vocabulary=len(self.metadata["tokenizer.ggml.tokens"]),
            context=self._number("context_length"),
            epsilon=self._number("attention.layer_norm_rms_epsilon"),
            post_norms=self.architecture.has_post_norms,
        )

    @cached_property
    def choices(self) -> Choices:
        numbers = GgufNumbers(
            self._family, self.metadata, self.shape, lambda name: self.read(name) if name in self.tensors else None
        )
        return self.architecture.read_gguf(numbers)

    def _number(self, name: str) -> Any:
        return self.metadata[f"{self._family}.{name}"]

    def check(self) -> None:
        if (family := self._family) not in BY_GGUF:
            raise Unsupported(f"{family} is not of the Llama family")
        if self.metadata.get(f"{family}.expert_count", 0):
            raise Unsupported("it is a mixture of experts")
        known = tuple(f".{part}.bias" for part in self.architecture.biases)
        if any(name.endswith(".bias") and not name.endswith(known) for name in self.tensors):
            raise Unsupported("its projections have biases")
        types = {tensor.quantization for tensor in self.tensors.values()}
        if unread := sorted(each.name for each in types if not is_readable(each)):
            raise Unsupported(f"it holds tensors of type {', '.join(unread)}, which is not read here")
        _ = self.choices

    def load_tokenizer(self, source: ModelSource) -> tuple[Tokenizer, list[int]]:
        """As Checkpoint's. The file's own list of tokens is released: 262,144 take 40 MB."""
        tokenizer, ends = load_tokenizer(self.path, self.metadata, source.template), list_gguf_ends(self.metadata)
        _ = self.shape  # it counts the tokens
        self.metadata = {name: value for name, value in self.metadata.items() if not name.startswith("tokenizer.")}
        return tokenizer, ends

    @property
    def is_plain(self) -> bool:
        return GGMLQuantizationType[self.dtype] in PLAIN

    @property
    def dtype(self) -> str:
        types = Counter(tensor.quantization.name for tensor in self.tensors.values() if len(tensor.shape) > 1)
        return types.most_common(1)[0][0]

    def tensor_name(self, name: str) -> str:
        return self.find_stored(name)[0]

    def stored_shape(self, stored_name: str) -> tuple[int, ...] | None:
        return self.tensors[stored_name].shape if stored_name in self.tensors else None

    def read(self, name: str) -> Tensor:
        return unpack(self._view(name), self._find_quantization(name))

    def embed(self, name: str) -> Callable[[Tensor], Tensor]:
        stored, quantization = self._view(name), self._find_quantization(name)
        return lambda ids: unpack(stored[ids], quantization)

    def pack(self, name: str, round: Round | None = None) -> Matrix:
        shape, pack = self.tensor_shape(name), choose_packing(self._find_quantization(name), round)
        assert shape is not None, f"a supported file has {name}"
        return pack_rows(shape, lambda part: self._view(name, part), pack)

    def _find_quantization(self, name: str) -> GGMLQuantizationType:
        return self.tensors[self.tensor_name(name)].quantization

    def _view(self, name: str, part: slice = WHOLE) -> Tensor:
        """A part of a weight's rows in a mapping of its file: bytes, unless the type is in PLAIN.

        The mapping is this part's own, so that pages that were read to be packed leave the memory with it.
        """
        stored_name, first, end = self.find_stored(name)
        tensor = self.tensors[stored_name]
        stored = _map(tensor.path)[tensor.offset :][: tensor.size]
        if tensor.quantization in PLAIN:
            rows = stored.view(PLAIN[tensor.quantization]).view(tensor.shape)[first:end]
        else:
            rows = stored.view(tensor.shape[0], -1)[first:end]
        if not self.architecture.rotates_halves or not is_of_heads(name):
            return rows[part]
        return rows[self.interleave(torch.arange(len(rows)))[part]]


def _map(path: Path) -> Tensor:
    """A file's bytes: those that were read are in the system's file cache, the others take no memory."""
    return torch.from_file(str(path), shared=False, size=path.stat().st_size, dtype=torch.uint8)
