"""A Llama out of a GGUF file, its weights as they are stored there."""

from pathlib import Path

import torch
from torch import Tensor

from demo.engines.local.loading.gguf import read_header
from demo.engines.local.runners.cpu_llama.kernels import find_missing_kernels
from demo.engines.local.runners.cpu_llama.kernels.activations import GROUP
from demo.engines.local.runners.cpu_llama.model import Table
from demo.engines.local.runners.cpu_llama.shape import Shape, spread_frequencies
from demo.engines.local.runners.cpu_llama.weights.checkpoint import Checkpoint
from demo.engines.local.runners.cpu_llama.weights.matrix import (
    Matrix,
    pack_eight_bits,
    pack_four_bits,
    pack_plain,
    round_to_eight_bits,
)
from demo.engines.local.runners.cpu_llama.weights.quantization import BLOCKS, NAMES, PLAIN, Q8_0, unpack

LOW_NIBBLES = 0x0F0F0F0F0F0F0F0F
ROUNDED_AT_ONCE = 4096  # rows: what they take for a moment stays in the processor's cache


class GgufFile(Checkpoint):
    """A GGUF file's metadata and tensors. Raises ValueError where it is none that can be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        header = read_header(path)
        self.metadata = header.metadata
        self._tensors = header.tensors
        self._start = header.start
        self._bytes = _map(path)

    @property
    def shape(self) -> Shape:
        heads = self.metadata["llama.attention.head_count"]
        hidden = self.metadata["llama.embedding_length"]
        return Shape(
            layers=self.metadata["llama.block_count"],
            hidden=hidden,
            heads=heads,
            kv_heads=self.metadata.get("llama.attention.head_count_kv", heads),
            head_size=self.metadata.get("llama.rope.dimension_count", hidden // heads),
            mlp=self.metadata["llama.feed_forward_length"],
            vocabulary=len(self.metadata["tokenizer.ggml.tokens"]),
            context=self.metadata["llama.context_length"],
            epsilon=self.metadata["llama.attention.layer_norm_rms_epsilon"],
        )

    def find_unsupported_reason(self) -> str:
        if (architecture := self.metadata["general.architecture"]) != "llama":
            return f"{architecture} is not of the Llama family"
        if self.metadata.get("llama.rope.scaling.type", "none") != "none":
            return "it scales its rotary embeddings"
        if self.metadata.get("llama.expert_count", 0):
            return "it is a mixture of experts"
        if any(name.endswith(".bias") for name in self._tensors):
            return "its projections have biases"
        if "tokenizer.chat_template" not in self.metadata:
            return "it has no chat template"
        if not self._is_whole:
            return "the file ends before its weights do"
        return find_missing_kernels()

    @property
    def _is_whole(self) -> bool:
        return all(self._start + info.offset + info.size <= len(self._bytes) for info in self._tensors.values())

    def forms(self) -> list[str]:
        """GGML's name of the form in which each matrix is stored."""
        return [NAMES[info.kind] for info in self._tensors.values() if len(info.shape) > 1]

    def spell(self, name: str) -> str:
        return name

    def measure(self, name: str) -> tuple[int, ...] | None:
        return self._tensors[name].shape if name in self._tensors else None

    def read(self, name: str) -> Tensor:
        return unpack(*self._read_stored(name))

    def look_up(self, name: str) -> Table:
        # Of a mapping of its own: what was read of the other, once, to be packed, leaves the memory with that.
        return StoredTable(*self._find(name, _map(self._path)))

    def pack(self, name: str) -> Matrix:
        stored, kind = self._read_stored(name)
        if kind in PLAIN:
            return pack_plain(stored)
        blocks = stored.unflatten(-1, (-1, BLOCKS[kind][1]))
        if read := FOUR_BITS.get(NAMES[kind]):
            return pack_four_bits(*read(blocks))
        if kind == Q8_0:
            return pack_eight_bits(*_read_q8_0(blocks))
        return round_to_eight_bits(unpack(rows, kind) for rows in stored.split(ROUNDED_AT_ONCE))

    def frequencies(self) -> Tensor:
        frequencies = spread_frequencies(self.metadata.get("llama.rope.freq_base", 10000.0), self.shape.head_size)
        if "rope_freqs.weight" in self._tensors:  # Llama 3's stretching of the slow ones
            frequencies /= self.read("rope_freqs.weight")
        return frequencies

    def _read_stored(self, name: str) -> tuple[Tensor, int]:
        """A tensor's rows as they are stored, and GGML's number of that form: bytes where it packs blocks."""
        return self._find(name, self._bytes)

    def _find(self, name: str, bytes: Tensor) -> tuple[Tensor, int]:
        info = self._tensors[name]
        stored = bytes[self._start + info.offset :][: info.size]
        if info.kind in PLAIN:
            return stored.view(PLAIN[info.kind]).view(info.shape), info.kind
        return stored.view(info.shape[0], -1), info.kind


def _map(path: Path) -> Tensor:
    """A file's bytes: what is not read yet costs no memory, and what is read belongs to the system's file cache."""
    return torch.from_file(str(path), shared=False, size=path.stat().st_size, dtype=torch.uint8)


class StoredTable(Table):
    """Rows of a matrix, unpacked as they are asked for; the matrix stays in the file."""

    def __init__(self, stored: Tensor, kind: int) -> None:
        self._stored = stored
        self._kind = kind

    def rows(self, ids: Tensor) -> Tensor:
        return unpack(self._stored[ids], self._kind)


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


def _split(bytes: Tensor) -> Tensor:
    """Values [rows, columns] of bytes [rows, …, n]: n low nibbles, then n high ones, again and again."""
    words = bytes.contiguous().view(torch.int64)  # eight at a time
    return torch.stack([words & LOW_NIBBLES, (words >> 4) & LOW_NIBBLES], dim=-2).flatten(1).view(torch.uint8)


# By GGML's name: the bytes of one block, and how to read values [rows, columns], scales and offsets of [rows, groups].
FOUR_BITS = {"Q4_0": _read_q4_0, "Q4_1": _read_q4_1, "Q4_K": _read_q4_k}
