"""Matrix products with one token's activations or with many tokens'.

A matrix is stored in tiles of 16 interleaved rows, one a lane, so that a product reads memory sequentially. A token's
product does not depend on the tokens beside it: integers are summed exactly, and groups always in the same order.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from demo.engines.local.runners.cpu_llama.kernels import compiled
from demo.engines.local.runners.cpu_llama.kernels.activations import BIAS, GROUP, GROUP_BYTES, SCALE, SUM
from demo.engines.local.runners.cpu_llama.kernels.memory import (
    load_bfloat16,
    load_bytes,
    load_float16,
    load_floats,
    read_float,
    splat_bytes,
    store_floats,
)
from demo.engines.local.runners.cpu_llama.kernels.simd import (
    LANES,
    Floats,
    Ints,
    dot_accumulate,
    fma,
    high_nibbles,
    low_nibbles,
    splat,
    to_floats,
    zero_floats,
    zero_ints,
)

Q4, Q8, Q8_OFFSET, FLOAT16, BFLOAT16, FLOAT32 = range(6)  # quantization types of a matrix
# Bytes of a group of 32 columns of 16 rows: Q8 has a scale (float16) for each row, the others an offset too.
Q4_GROUP_BYTES = GROUP * LANES // 2 + 4 * LANES
Q8_GROUP_BYTES = GROUP * LANES + 2 * LANES
Q8_OFFSET_GROUP_BYTES = GROUP * LANES + 4 * LANES

MATRIX = np.dtype(
    [(name, np.int64) for name in ("qtype", "rows", "columns", "tiles", "tile_bytes", "bias")], align=True
)

Fours = tuple[Floats, Floats, Floats, Floats]
Group = tuple[tuple[Ints, Ints, Ints, Ints], tuple[Ints, Ints, Ints, Ints]]
OffsetGroup = tuple[Group, Floats, Floats]  # weights, scales and offsets
Unpacked = TypeVar("Unpacked")


@compiled
def matmul(qtype: int, tile: int, columns: int, inputs: int, stride: int, tokens: int, out: int, pitch: int) -> None:
    """Multiply a tile with the activations of tokens: 16 float32 for each token, every `pitch` bytes from `out`.

    A token's activations are float32 [columns], followed by the same as `quantize_q8` leaves it, every `stride` bytes.
    """
    packed = inputs + 4 * columns
    for token in range(0, tokens - 3, 4):
        x, y = packed + token * stride, inputs + token * stride
        if qtype == Q4:
            a, b, c, d = _dot_q4_x4(tile, columns, x, stride)
        elif qtype == Q8:
            a, b, c, d = _dot_q8_x4(tile, columns, x, stride)
        elif qtype == Q8_OFFSET:
            a, b, c, d = _dot_q8_offset_x4(tile, columns, x, stride)
        else:
            a, b, c, d = _dot_plain_x4(qtype, tile, columns, y, stride)
        at = out + token * pitch
        store_floats(at, a)
        store_floats(at + pitch, b)
        store_floats(at + 2 * pitch, c)
        store_floats(at + 3 * pitch, d)
    for token in range(tokens - tokens % 4, tokens):
        x, y = packed + token * stride, inputs + token * stride
        if qtype == Q4:
            product = _dot_q4(tile, columns, x)
        elif qtype == Q8:
            product = _dot_q8(tile, columns, x)
        elif qtype == Q8_OFFSET:
            product = _dot_q8_offset(tile, columns, x)
        else:
            product = _dot_plain(qtype, tile, columns, y)
        store_floats(out + token * pitch, product)


@compiled
def _load_q4(tile: int) -> OffsetGroup:
    """Unpack a group's 32 columns, four a vector: 0 to 15 are the low nibbles, 16 to 31 the high ones."""
    a, b, c, d = load_bytes(tile), load_bytes(tile + 64), load_bytes(tile + 128), load_bytes(tile + 192)
    low = (low_nibbles(a), low_nibbles(b), low_nibbles(c), low_nibbles(d))
    high = (high_nibbles(a), high_nibbles(b), high_nibbles(c), high_nibbles(d))
    return (low, high), load_float16(tile + Q4_GROUP_BYTES - 64), load_float16(tile + Q4_GROUP_BYTES - 32)


@compiled
def _load_q8(tile: int) -> tuple[Group, Floats]:
    first = (load_bytes(tile), load_bytes(tile + 64), load_bytes(tile + 128), load_bytes(tile + 192))
    second = (load_bytes(tile + 256), load_bytes(tile + 320), load_bytes(tile + 384), load_bytes(tile + 448))
    return (first, second), load_float16(tile + GROUP * LANES)


@compiled
def _load_q8_offset(tile: int) -> OffsetGroup:
    weights, scale = _load_q8(tile)
    return weights, scale, load_float16(tile + GROUP * LANES + 2 * LANES)


@compiled
def _accumulate_offset(sums: Floats, group: OffsetGroup, x: int) -> Floats:
    """w = scale · q + offset."""
    weights, scale, offset = group
    products = to_floats(_dot_group(zero_ints(), weights, x))
    sums = fma(products, scale * splat(read_float(x + SCALE)), sums)
    return fma(offset, splat(read_float(x + SUM)), sums)


@compiled
def _accumulate_q8(sums: Floats, group: tuple[Group, Floats], x: int) -> Floats:
    """w = scale · (q − 128)."""
    weights, scale = group
    products = to_floats(_dot_group(splat_bytes(x + BIAS), weights, x))
    return fma(products, scale * splat(read_float(x + SCALE)), sums)


@compiled
def _dot_group(sums: Ints, weights: Group, x: int) -> Ints:
    (a, b, c, d), (e, f, g, h) = weights
    other = dot_accumulate(zero_ints(), e, splat_bytes(x + 16))
    sums = dot_accumulate(sums, a, splat_bytes(x))
    other = dot_accumulate(other, f, splat_bytes(x + 20))
    sums = dot_accumulate(sums, b, splat_bytes(x + 4))
    other = dot_accumulate(other, g, splat_bytes(x + 24))
    sums = dot_accumulate(sums, c, splat_bytes(x + 8))
    other = dot_accumulate(other, h, splat_bytes(x + 28))
    sums = dot_accumulate(sums, d, splat_bytes(x + 12))
    return sums + other


def _compile_dots(
    size: int, load: Callable[[int], Unpacked], accumulate: Callable[[Floats, Unpacked, int], Floats]
) -> tuple[Callable[[int, int, int], Floats], Callable[[int, int, int, int], Fours]]:
    """Products of a tile, of groups of `size` bytes, with one token's activations, and with those of four tokens."""

    @compiled
    def dot(tile: int, columns: int, x: int) -> Floats:
        sums = zero_floats()
        for _ in range(columns // GROUP):
            sums = accumulate(sums, load(tile), x)
            tile += size
            x += GROUP_BYTES
        return sums

    @compiled
    def dot_x4(tile: int, columns: int, x: int, stride: int) -> Fours:
        a = b = c = d = zero_floats()
        for _ in range(columns // GROUP):
            group = load(tile)
            a = accumulate(a, group, x)
            b = accumulate(b, group, x + stride)
            c = accumulate(c, group, x + 2 * stride)
            d = accumulate(d, group, x + 3 * stride)
            tile += size
            x += GROUP_BYTES
        return a, b, c, d

    return dot, dot_x4


_dot_q4, _dot_q4_x4 = _compile_dots(Q4_GROUP_BYTES, _load_q4, _accumulate_offset)
_dot_q8, _dot_q8_x4 = _compile_dots(Q8_GROUP_BYTES, _load_q8, _accumulate_q8)
_dot_q8_offset, _dot_q8_offset_x4 = _compile_dots(Q8_OFFSET_GROUP_BYTES, _load_q8_offset, _accumulate_offset)


@compiled
def _dot_plain(qtype: int, tile: int, columns: int, x: int) -> Floats:
    even = odd = zero_floats()
    size = _measure_tile_column(qtype)
    for _ in range(0, columns, 2):
        even = fma(_load_plain(qtype, tile), splat(read_float(x)), even)
        odd = fma(_load_plain(qtype, tile + size), splat(read_float(x + 4)), odd)
        tile += 2 * size
        x += 8
    return even + odd


@compiled
def _dot_plain_x4(qtype: int, tile: int, columns: int, x: int, stride: int) -> Fours:
    a = b = c = d = aa = bb = cc = dd = zero_floats()
    step = _measure_tile_column(qtype)
    for _ in range(0, columns, 2):
        even, odd = _load_plain(qtype, tile), _load_plain(qtype, tile + step)
        a, aa = fma(even, splat(read_float(x)), a), fma(odd, splat(read_float(x + 4)), aa)
        y = x + stride
        b, bb = fma(even, splat(read_float(y)), b), fma(odd, splat(read_float(y + 4)), bb)
        y += stride
        c, cc = fma(even, splat(read_float(y)), c), fma(odd, splat(read_float(y + 4)), cc)
        y += stride
        d, dd = fma(even, splat(read_float(y)), d), fma(odd, splat(read_float(y + 4)), dd)
        tile += 2 * step
        x += 8
    return a + aa, b + bb, c + cc, d + dd


@compiled
def _measure_tile_column(qtype: int) -> int:
    """Bytes of one column of a tile that is not quantized."""
    return 4 * LANES if qtype == FLOAT32 else 2 * LANES


@compiled
def _load_plain(qtype: int, address: int) -> Floats:
    if qtype == FLOAT16:
        return load_float16(address)
    return load_bfloat16(address) if qtype == BFLOAT16 else load_floats(address)
