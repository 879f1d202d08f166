"""A Llama out of a GGUF file, its weights as they are stored there."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from demo.engine.llama.blocks import BLOCKS, NAMES, PLAIN, unpack
from demo.engine.llama.header import read_header
from demo.engine.llama.linear import GROUP, Dense, EightBit, FourBit, Linear, Stacked
from demo.engine.llama.network import Layer, Llama, RMSNorm, Shape, Table

LOW_NIBBLES = 0x0F0F0F0F0F0F0F0F
ROUNDED_AT_ONCE = 4096  # rows: what they take for a moment stays in the processor's cache


class GgufFile:
    """A GGUF file's metadata and tensors. Raises ValueError where it is none that can be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        header = read_header(path)
        self.metadata = header.metadata
        self._tensors = header.tensors
        self._start = header.start
        self._bytes = _map(path)

    @property
    def is_whole(self) -> bool:
        """Whether every tensor that the file lists is in it to its end."""
        return all(self._start + info.offset + info.size <= len(self._bytes) for info in self._tensors.values())

    @property
    def is_packed(self) -> bool:
        """Whether any tensor is stored in blocks."""
        return any(info.kind not in PLAIN for info in self._tensors.values())

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of each tensor."""
        return {name: info.shape for name, info in self._tensors.items()}

    def forms(self) -> list[str]:
        """GGML's name of the form in which each matrix is stored."""
        return [NAMES[info.kind] for info in self._tensors.values() if len(info.shape) > 1]

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def stored(self, name: str) -> tuple[Tensor, int]:
        """A tensor's rows as they are stored, and GGML's number of that form: bytes where it packs blocks."""
        return self._find(name, self._bytes)

    def look_up(self, name: str) -> Table:
        """A matrix of which single rows are read.

        It has a mapping of its own: what was read of the other, once, to be packed, leaves the memory with that.
        """
        return StoredTable(*self._find(name, _map(self._path)))

    def _find(self, name: str, bytes: Tensor) -> tuple[Tensor, int]:
        info = self._tensors[name]
        stored = bytes[self._start + info.offset :][: info.size]
        if info.kind in PLAIN:
            return stored.view(PLAIN[info.kind]).view(info.shape), info.kind
        return stored.view(info.shape[0], -1), info.kind

    def read(self, name: str) -> Tensor:
        """A tensor in float32, unpacked."""
        return unpack(*self.stored(name))

    def pack(self, *names: str) -> Linear:
        """The matrices of these names, one below the other, in the form in which they are stored."""
        kinds = {self._tensors[name].kind for name in names}
        if len(kinds) > 1:
            return Stacked([self.pack(name) for name in names])
        kind = kinds.pop()
        stored = torch.cat([self.stored(name)[0] for name in names])
        if read := FOUR_BITS.get(NAMES[kind]):
            return FourBit(*read(stored.unflatten(-1, (-1, BLOCKS[kind][1]))))
        return Dense(stored.float()) if kind in PLAIN else EightBit(unpack(stored, kind))


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


@contextmanager
def side_by_side() -> Iterator[ThreadPoolExecutor]:
    """As many threads as an operation would have, in which each has one: those of one operation wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)


def build_llama(file: GgufFile) -> Llama:
    """The network of a file without an obstacle."""
    shape = read_shape(file.metadata)
    name = "output.weight" if "output.weight" in file else "token_embd.weight"
    with side_by_side() as pool:
        rounded = pool.submit(_round_head, file, name)
        layers = list(pool.map(lambda number: _build_layer(file, shape, f"blk.{number}."), range(shape.layers)))
    head = rounded.result()
    return Llama(
        shape,
        file.look_up("token_embd.weight"),
        layers,
        _read_norm(file, "output_norm.weight"),
        head,
        None if isinstance(head, Dense) else file.look_up(name),
        _read_frequencies(file, shape),
    )


def _round_head(file: GgufFile, name: str) -> Linear:
    """A head in four bits, if it is stored in more: it only finds the tokens whose logits are then sharpened."""
    stored, kind = file.stored(name)
    if kind in PLAIN or NAMES[kind] in FOUR_BITS:
        return file.pack(name)
    return FourBit.round(unpack(rows, kind) for rows in stored.split(ROUNDED_AT_ONCE))


def read_shape(metadata: Mapping[str, Any]) -> Shape:
    """The numbers of a Llama's metadata."""
    heads = metadata["llama.attention.head_count"]
    hidden = metadata["llama.embedding_length"]
    return Shape(
        layers=metadata["llama.block_count"],
        hidden=hidden,
        heads=heads,
        kv_heads=metadata.get("llama.attention.head_count_kv", heads),
        head_size=metadata.get("llama.rope.dimension_count", hidden // heads),
        context=metadata["llama.context_length"],
    )


def _build_layer(file: GgufFile, shape: Shape, at: str) -> Layer:
    return Layer(
        shape,
        before_attention=_read_norm(file, f"{at}attn_norm.weight"),
        qkv=file.pack(*(f"{at}attn_{part}.weight" for part in "qkv")),
        out=file.pack(f"{at}attn_output.weight"),
        before_mlp=_read_norm(file, f"{at}ffn_norm.weight"),
        gate_up=file.pack(f"{at}ffn_gate.weight", f"{at}ffn_up.weight"),
        down=file.pack(f"{at}ffn_down.weight"),
    )


def _read_norm(file: GgufFile, name: str) -> RMSNorm:
    return RMSNorm(file.read(name), file.metadata["llama.attention.layer_norm_rms_epsilon"])


def _read_frequencies(file: GgufFile, shape: Shape) -> Tensor:
    base = file.metadata.get("llama.rope.freq_base", 10000.0)
    frequencies: Tensor = base ** (-torch.arange(0, shape.head_size, 2) / shape.head_size)
    if "rope_freqs.weight" in file:  # Llama 3's stretching of the slow ones
        frequencies /= file.read("rope_freqs.weight")
    return frequencies


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


def _split(bytes: Tensor) -> Tensor:
    """Values [rows, columns] of bytes [rows, …, n]: n low nibbles, then n high ones, again and again."""
    words = bytes.contiguous().view(torch.int64)  # eight at a time
    return torch.stack([words & LOW_NIBBLES, (words >> 4) & LOW_NIBBLES], dim=-2).flatten(1).view(torch.uint8)


# By GGML's name: the bytes of one block, and how to read values [rows, columns], scales and offsets of [rows, groups].
FOUR_BITS = {"Q4_0": _read_q4_0, "Q4_1": _read_q4_1, "Q4_K": _read_q4_k}
