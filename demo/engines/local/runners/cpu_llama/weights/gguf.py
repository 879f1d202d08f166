"""A Llama out of a GGUF file, its weights as they are stored there."""

from collections import Counter
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize
from torch import Tensor

from demo.engines.local.loading.gguf_split import read_model
from demo.engines.local.runners.cpu_llama.architectures.architecture import (
    Architecture,
    Choices,
    GgufNumbers,
    Unsupported,
)
from demo.engines.local.runners.cpu_llama.architectures.families import BY_GGUF
from demo.engines.local.runners.cpu_llama.kernels import find_missing_kernels
from demo.engines.local.runners.cpu_llama.kernels.activations import GROUP
from demo.engines.local.runners.cpu_llama.shape import Shape
from demo.engines.local.runners.cpu_llama.weights.checkpoint import Checkpoint, find_stored, interleave, is_of_heads
from demo.engines.local.runners.cpu_llama.weights.matrix import (
    ROUNDED_ROWS,
    Matrix,
    pack_eight_bits,
    pack_four_bits,
    pack_plain,
    round_to_eight_bits,
)

PLAIN: Final = {
    GGMLQuantizationType.F32: torch.float32,
    GGMLQuantizationType.F16: torch.float16,
    GGMLQuantizationType.BF16: torch.bfloat16,
}
LOW_NIBBLES: Final = 0x0F0F0F0F0F0F0F0F


class GgufFile(Checkpoint):
    """A GGUF file's metadata and tensors, or those of all parts of a split one.

    Raises ModelError where a part is missing, OSError or ValueError where a file can't be read.
    """

    def __init__(self, path: Path) -> None:
        header = read_model(path)
        self.path = path
        self.metadata = header.metadata
        self.tensors = header.tensors
        self._map = cache(_map)

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

    def find_unsupported_reason(self) -> str:
        if (family := self._family) not in BY_GGUF:
            return f"{family} is not of the Llama family"
        if self.metadata.get(f"{family}.expert_count", 0):
            return "it is a mixture of experts"
        known = tuple(f".{part}.bias" for part in self.architecture.biases)
        if any(name.endswith(".bias") and not name.endswith(known) for name in self.tensors):
            return "its projections have biases"
        types = {tensor.quantization for tensor in self.tensors.values()}
        if unread := sorted(each.name for each in types if not is_readable(each)):
            return f"it holds tensors of type {', '.join(unread)}, which is not read here"
        try:
            self.choices  # noqa: B018 - they are read here, to be refused
        except Unsupported as error:
            return str(error)
        return find_missing_kernels()

    def list_quantizations(self) -> list[str]:
        """GGML's name of the type of each matrix."""
        return [tensor.quantization.name for tensor in self.tensors.values() if len(tensor.shape) > 1]

    @property
    def is_plain(self) -> bool:
        return GGMLQuantizationType[self.find_dtype()] in PLAIN

    def find_dtype(self) -> str:
        """GGML's name of the type of most matrices."""
        return Counter(self.list_quantizations()).most_common(1)[0][0]

    def tensor_name(self, name: str) -> str:
        return find_stored(self.architecture, self.shape, name)[0]

    def tensor_shape(self, name: str) -> tuple[int, ...] | None:
        stored, first, end = find_stored(self.architecture, self.shape, name)
        if stored not in self.tensors:
            return None
        rows, *rest = self.tensors[stored].shape
        return (max(min(rows, end or rows) - first, 0), *rest)

    def read(self, name: str) -> Tensor:
        rows = self._view(name, self._map)
        return unpack(rows, self.tensors[self.tensor_name(name)].quantization)

    def embed(self, name: str) -> Callable[[Tensor], Tensor]:
        # It has a mapping of its own: pages that were read to be packed leave the memory with the other mapping.
        stored, quantization = self._view(name, _map), self.tensors[name].quantization
        return lambda ids: unpack(stored[ids], quantization)

    def pack(self, name: str, rounded: bool = False) -> Matrix:
        stored, quantization = self._view(name, self._map), self.tensors[self.tensor_name(name)].quantization
        if quantization in PLAIN and not rounded:
            return pack_plain(stored)
        if quantization in PLAIN:
            return round_to_eight_bits(rows.float() for rows in stored.split(ROUNDED_ROWS))
        blocks = stored.unflatten(-1, (-1, GGML_QUANT_SIZES[quantization][1]))
        if read := FOUR_BITS.get(quantization):
            return pack_four_bits(*read(blocks))
        if read_bytes := EIGHT_BITS.get(quantization):
            return pack_eight_bits(*read_bytes(blocks))
        return round_to_eight_bits(unpack(rows, quantization) for rows in stored.split(ROUNDED_ROWS))

    def _view(self, name: str, map_file: Callable[[Path], Tensor]) -> Tensor:
        """A weight's rows in a mapping of its file: bytes, unless the type is in PLAIN."""
        stored_name, first, end = find_stored(self.architecture, self.shape, name)
        tensor = self.tensors[stored_name]
        stored = map_file(tensor.path)[tensor.offset :][: tensor.size]
        if tensor.quantization in PLAIN:
            rows = stored.view(PLAIN[tensor.quantization]).view(tensor.shape)[first:end]
        else:
            rows = stored.view(tensor.shape[0], -1)[first:end]
        if not self.architecture.rotates_halves or not is_of_heads(name):
            return rows
        return interleave(rows, self.shape.head_size, self.choices.rotated)


def _map(path: Path) -> Tensor:
    """A file's bytes: those that were read are in the system's file cache, the others take no memory."""
    return torch.from_file(str(path), shared=False, size=path.stat().st_size, dtype=torch.uint8)


@cache
def is_readable(quantization: GGMLQuantizationType) -> bool:
    """Whether gguf can dequantize it: integers and types of activations alone it cannot."""
    try:
        dequantize(np.zeros(GGML_QUANT_SIZES[quantization][1], np.uint8), quantization)
    except NotImplementedError:
        return False
    return True


def unpack(stored: Tensor, quantization: GGMLQuantizationType) -> Tensor:
    """float32 [rows, columns] of stored rows: bytes, unless the type is in PLAIN."""
    return stored.float() if quantization in PLAIN else torch.from_numpy(dequantize(stored.numpy(), quantization))


def _read_q4_0(blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """w = d · (q − 8); a block is d and 16 bytes of which the low nibbles come first."""
    scales = blocks[..., :2].view(torch.float16).squeeze(-1)
    return _split(blocks[..., 2:]), scales, -8 * scales


def _read_q4_1(blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """w = d · q + m."""
    scales, offsets = blocks[..., :4].view(torch.float16).unbind(dim=-1)
    return _split(blocks[..., 4:]), scales, offsets


def _read_q4_k(blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """w = d · scale · q − m · minimum: eight groups share d and m, their scales and minima have six bits."""
    d, m = blocks[..., :4].view(torch.float16).float().split(1, dim=-1)
    low, middle, high = blocks[..., 4:16].split(4, dim=-1)
    scales = torch.cat([low & 63, (high & 15) | (low >> 6 << 4)], dim=-1)
    minima = torch.cat([middle & 63, (high >> 4) | (middle >> 6 << 4)], dim=-1)
    values = _split(blocks[..., 16:].unflatten(-1, (4, GROUP)))
    return values.flatten(1), (d * scales).flatten(1), (-m * minima).flatten(1)


def _read_q8_0(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """w = d · q."""
    return blocks[..., 2:].flatten(1).view(torch.int8), blocks[..., :2].view(torch.float16).squeeze(-1)


def _read_q5_0(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """w = d · (q − 16): the low four bits of q as in Q4_0, the fifth bits in a word before them."""
    scales = blocks[..., :2].view(torch.float16).squeeze(-1)
    fifth = (blocks[..., 2:6].contiguous().view(torch.int32) >> torch.arange(GROUP, dtype=torch.int32)) & 1
    values = _split(blocks[..., 6:]).view(torch.int8) + (16 * fifth.flatten(1)).to(torch.int8) - 16
    return values, scales


def _split(bytes: Tensor) -> Tensor:
    """Values [rows, columns] of bytes [rows, …, n], of which each n hold n low nibbles, then n high ones."""
    words = bytes.contiguous().view(torch.int64)  # eight at a time
    return torch.stack([words & LOW_NIBBLES, (words >> 4) & LOW_NIBBLES], dim=-2).flatten(1).view(torch.uint8)


# How to read blocks of bytes as values [rows, columns], scales and offsets [rows, groups].
FOUR_BITS = {
    GGMLQuantizationType.Q4_0: _read_q4_0,
    GGMLQuantizationType.Q4_1: _read_q4_1,
    GGMLQuantizationType.Q4_K: _read_q4_k,
}
# How to read them as signed bytes and scales.
EIGHT_BITS = {GGMLQuantizationType.Q8_0: _read_q8_0, GGMLQuantizationType.Q5_0: _read_q5_0}
