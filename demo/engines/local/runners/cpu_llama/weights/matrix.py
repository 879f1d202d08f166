"""Weight matrices in their quantization types, in the layout of the kernels.

Sixteen interleaved rows are a tile; the last tile is filled up with rows of zeros.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from demo.engines.local.runners.cpu_llama.kernels.matmul import BFLOAT16, FLOAT16, FLOAT32, Q4, Q8, Q8_OFFSET
from demo.engines.local.runners.cpu_llama.kernels.simd import LANES

PACKED = 1 << 17  # numbers are packed at a time: what is made of them stays in the processor's cache
PLAIN_TYPES = {torch.float16: FLOAT16, torch.bfloat16: BFLOAT16, torch.float32: FLOAT32}


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix [rows, columns], of a quantization type of `kernels.matmul`; its tiles are bytes [tiles, …]."""

    qtype: int
    rows: int
    columns: int
    tiles: Tensor
    bias: Tensor | None = None  # float32 [rows], and zeros up to whole tiles

    def describe(self) -> tuple[int, int, int, int, int, int]:
        """The same as a MATRIX of the kernels', with the rows of zeros; valid while this object exists."""
        padded = len(self.tiles) * LANES
        bias = 0 if self.bias is None else self.bias.data_ptr()
        return self.qtype, padded, self.columns, self.tiles.data_ptr(), self.tiles.stride(0), bias

    def add_bias(self, bias: Tensor) -> "Matrix":
        """The same matrix, with a `bias` [rows] that is added to its products."""
        return replace(self, bias=pad(bias.float(), (0, -len(bias) % LANES)).contiguous())


def pack_rows(shape: Sequence[int], read: Callable[[slice], Tensor], pack: Callable[[Tensor], Matrix]) -> Matrix:
    """Pack a matrix [rows, columns], some whole tiles at a time: `read` gives stored rows, of which no copy stays."""
    rows, columns = shape
    step = max(PACKED // columns // LANES, 1) * LANES
    first = pack(read(slice(0, step)))
    tiles = torch.empty(-(-rows // LANES), first.tiles.shape[1], dtype=torch.uint8)
    tiles[: len(first.tiles)] = first.tiles
    for at in range(step, rows, step):
        packed = pack(read(slice(at, at + step)))
        tiles[at // LANES :][: len(packed.tiles)] = packed.tiles
    return replace(first, rows=rows, tiles=tiles)


def pack_four_bits(values: Tensor, scales: Tensor, offsets: Tensor) -> Matrix:
    """Pack w = scale · q + offset: q uint8 [rows, columns] below 16, scales and offsets [rows, columns / 32]."""
    rows, columns = values.shape
    # Words of four: [tiles, 16, groups, low or high, 4] to [tiles, groups, 4, 16] for each of low and high
    halves = _tile(values.view(torch.int32)).unflatten(2, (-1, 2, 4)).permute(3, 0, 2, 4, 1)
    nibbles = (halves[0] | halves[1] << 4).contiguous().view(torch.uint8).flatten(2)
    return Matrix(Q4, rows, columns, torch.cat([nibbles, _halves(scales), _halves(offsets)], dim=2).flatten(1))


def pack_offset_bytes(values: Tensor, scales: Tensor, offsets: Tensor) -> Matrix:
    """Pack w = scale · q + offset: q uint8 [rows, columns] below 128, scales and offsets [rows, columns / 32]."""
    rows, columns = values.shape
    parts = [_tile_bytes(values), _halves(scales), _halves(offsets)]
    return Matrix(Q8_OFFSET, rows, columns, torch.cat(parts, dim=2).flatten(1))


def pack_eight_bits(values: Tensor, scales: Tensor) -> Matrix:
    """Pack w = scale · q: q int8 [rows, columns], scales [rows, columns / 32]."""
    rows, columns = values.shape
    parts = [_tile_bytes(values.view(torch.uint8) ^ 128), _halves(scales)]  # q + 128
    return Matrix(Q8, rows, columns, torch.cat(parts, dim=2).flatten(1))


def pack_plain(weights: Tensor) -> Matrix:
    """Pack `weights` [rows, columns], float32, float16 or bfloat16."""
    rows, columns = weights.shape
    tiles = _tile(weights).transpose(1, 2).contiguous().view(torch.uint8).flatten(1)
    return Matrix(PLAIN_TYPES[weights.dtype], rows, columns, tiles)


def _tile(values: Tensor) -> Tensor:
    """[tiles, 16, columns] of [rows, columns]."""
    tiles: Tensor = pad(values, (0, 0, 0, -len(values) % LANES)).unflatten(0, (-1, LANES))
    return tiles


def _tile_bytes(values: Tensor) -> Tensor:
    """Bytes [tiles, groups, 512] of values uint8 [rows, columns], by words of four."""
    words: Tensor = _tile(values.view(torch.int32)).unflatten(2, (-1, 8)).permute(0, 2, 3, 1)
    return words.contiguous().view(torch.uint8).flatten(2)


def _halves(numbers: Tensor) -> Tensor:
    """Bytes [tiles, groups, 32] of numbers [rows, groups], in float16."""
    return _tile(numbers.half()).transpose(1, 2).contiguous().view(torch.uint8)
