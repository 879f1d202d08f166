"""Products of a matrix with a few vectors, or with many.

A matrix is cut into tiles of sixteen rows, which lie interleaved: what the sixteen lanes need next is what comes next.
A vector's product does not depend on what vectors are beside it: integers are summed exactly, and groups in order.
"""

import numpy as np

from demo.engines.local.runners.cpu_llama.kernels import compiled
from demo.engines.local.runners.cpu_llama.kernels.activations import BIAS, GROUP, GROUP_BYTES, SCALE, SUM
from demo.engines.local.runners.cpu_llama.kernels.arithmetic import (
    add_products,
    fma,
    high_nibbles,
    low_nibbles,
    no_floats,
    no_ints,
    spread,
    to_floats,
)
from demo.engines.local.runners.cpu_llama.kernels.memory import (
    load_bfloats,
    load_bytes,
    load_floats,
    load_halfs,
    read_float,
    spread_bytes,
    store_floats,
)
from demo.engines.local.runners.cpu_llama.kernels.simd import LANES, Floats, Ints

FOUR_BITS, EIGHT_BITS, FLOAT16, BFLOAT16, FLOAT32 = range(5)  # the forms of a matrix
# Bytes of sixteen rows' groups of 32: of four bits with a scale and an offset for each row, of eight bits with a scale.
FOUR_BIT_GROUP = GROUP * LANES // 2 + 4 * LANES
EIGHT_BIT_GROUP = GROUP * LANES + 2 * LANES

MATRIX = np.dtype([(name, np.int64) for name in ("form", "rows", "columns", "tiles", "tile_bytes")], align=True)

Fours = tuple[Floats, Floats, Floats, Floats]
Group = tuple[tuple[Ints, Ints, Ints, Ints], tuple[Ints, Ints, Ints, Ints]]


@compiled
def multiply(form: int, tile: int, columns: int, vectors: int, size: int, tokens: int, out: int, pitch: int) -> None:
    """Sixteen numbers for each token, at `out` and every `pitch` bytes on.

    There is a vector every `size` bytes: float32 [columns], and then the same as `round_to_bytes` leaves it.
    """
    packed = vectors + 4 * columns
    for token in range(0, tokens - 3, 4):
        x, y = packed + token * size, vectors + token * size
        if form == FOUR_BITS:
            a, b, c, d = _multiply_four_bits_by_four(tile, columns, x, size)
        elif form == EIGHT_BITS:
            a, b, c, d = _multiply_eight_bits_by_four(tile, columns, x, size)
        else:
            a, b, c, d = _multiply_plain_by_four(form, tile, columns, y, size)
        at = out + token * pitch
        store_floats(at, a)
        store_floats(at + pitch, b)
        store_floats(at + 2 * pitch, c)
        store_floats(at + 3 * pitch, d)
    for token in range(tokens - tokens % 4, tokens):
        x, y = packed + token * size, vectors + token * size
        if form == FOUR_BITS:
            product = _multiply_four_bits(tile, columns, x)
        elif form == EIGHT_BITS:
            product = _multiply_eight_bits(tile, columns, x)
        else:
            product = _multiply_plain(form, tile, columns, y)
        store_floats(out + token * pitch, product)


@compiled
def _multiply_four_bits(tile: int, columns: int, x: int) -> Floats:
    sums = no_floats()
    for _ in range(columns // GROUP):
        weights = _load_nibbles(tile)
        scale, offset = load_halfs(tile + FOUR_BIT_GROUP - 64), load_halfs(tile + FOUR_BIT_GROUP - 32)
        sums = _add_four_bits(sums, weights, scale, offset, x)
        tile += FOUR_BIT_GROUP
        x += GROUP_BYTES
    return sums


@compiled
def _multiply_four_bits_by_four(tile: int, columns: int, x: int, size: int) -> Fours:
    a = b = c = d = no_floats()
    for _ in range(columns // GROUP):
        weights = _load_nibbles(tile)
        scale, offset = load_halfs(tile + FOUR_BIT_GROUP - 64), load_halfs(tile + FOUR_BIT_GROUP - 32)
        a = _add_four_bits(a, weights, scale, offset, x)
        b = _add_four_bits(b, weights, scale, offset, x + size)
        c = _add_four_bits(c, weights, scale, offset, x + 2 * size)
        d = _add_four_bits(d, weights, scale, offset, x + 3 * size)
        tile += FOUR_BIT_GROUP
        x += GROUP_BYTES
    return a, b, c, d


@compiled
def _multiply_eight_bits(tile: int, columns: int, x: int) -> Floats:
    sums = no_floats()
    for _ in range(columns // GROUP):
        weights, scale = _load_bytes(tile), load_halfs(tile + GROUP * LANES)
        sums = _add_eight_bits(sums, weights, scale, x)
        tile += EIGHT_BIT_GROUP
        x += GROUP_BYTES
    return sums


@compiled
def _multiply_eight_bits_by_four(tile: int, columns: int, x: int, size: int) -> Fours:
    a = b = c = d = no_floats()
    for _ in range(columns // GROUP):
        weights, scale = _load_bytes(tile), load_halfs(tile + GROUP * LANES)
        a = _add_eight_bits(a, weights, scale, x)
        b = _add_eight_bits(b, weights, scale, x + size)
        c = _add_eight_bits(c, weights, scale, x + 2 * size)
        d = _add_eight_bits(d, weights, scale, x + 3 * size)
        tile += EIGHT_BIT_GROUP
        x += GROUP_BYTES
    return a, b, c, d


@compiled
def _load_nibbles(tile: int) -> Group:
    """The 32 columns of a group, four in each: 0 to 15 are the low nibbles, 16 to 31 the high ones."""
    a, b, c, d = load_bytes(tile), load_bytes(tile + 64), load_bytes(tile + 128), load_bytes(tile + 192)
    return (
        (low_nibbles(a), low_nibbles(b), low_nibbles(c), low_nibbles(d)),
        (high_nibbles(a), high_nibbles(b), high_nibbles(c), high_nibbles(d)),
    )


@compiled
def _load_bytes(tile: int) -> Group:
    return (
        (load_bytes(tile), load_bytes(tile + 64), load_bytes(tile + 128), load_bytes(tile + 192)),
        (load_bytes(tile + 256), load_bytes(tile + 320), load_bytes(tile + 384), load_bytes(tile + 448)),
    )


@compiled
def _add_four_bits(sums: Floats, weights: Group, scale: Floats, offset: Floats, x: int) -> Floats:
    """w = scale · q + offset."""
    products = to_floats(_sum_products(no_ints(), weights, x))
    sums = fma(products, scale * spread(read_float(x + SCALE)), sums)
    return fma(offset, spread(read_float(x + SUM)), sums)


@compiled
def _add_eight_bits(sums: Floats, weights: Group, scale: Floats, x: int) -> Floats:
    """w = scale · (q − 128)."""
    products = to_floats(_sum_products(spread_bytes(x + BIAS), weights, x))
    return fma(products, scale * spread(read_float(x + SCALE)), sums)


@compiled
def _sum_products(sums: Ints, weights: Group, x: int) -> Ints:
    (a, b, c, d), (e, f, g, h) = weights
    other = add_products(no_ints(), e, spread_bytes(x + 16))
    sums = add_products(sums, a, spread_bytes(x))
    other = add_products(other, f, spread_bytes(x + 20))
    sums = add_products(sums, b, spread_bytes(x + 4))
    other = add_products(other, g, spread_bytes(x + 24))
    sums = add_products(sums, c, spread_bytes(x + 8))
    other = add_products(other, h, spread_bytes(x + 28))
    sums = add_products(sums, d, spread_bytes(x + 12))
    return sums + other


@compiled
def _multiply_plain(form: int, tile: int, columns: int, x: int) -> Floats:
    even = odd = no_floats()
    size = _measure(form)
    for _ in range(0, columns, 2):
        even = fma(_load_plain(form, tile), spread(read_float(x)), even)
        odd = fma(_load_plain(form, tile + size), spread(read_float(x + 4)), odd)
        tile += 2 * size
        x += 8
    return even + odd


@compiled
def _multiply_plain_by_four(form: int, tile: int, columns: int, x: int, size: int) -> Fours:
    a = b = c = d = aa = bb = cc = dd = no_floats()
    step = _measure(form)
    for _ in range(0, columns, 2):
        even, odd = _load_plain(form, tile), _load_plain(form, tile + step)
        a, aa = fma(even, spread(read_float(x)), a), fma(odd, spread(read_float(x + 4)), aa)
        y = x + size
        b, bb = fma(even, spread(read_float(y)), b), fma(odd, spread(read_float(y + 4)), bb)
        y += size
        c, cc = fma(even, spread(read_float(y)), c), fma(odd, spread(read_float(y + 4)), cc)
        y += size
        d, dd = fma(even, spread(read_float(y)), d), fma(odd, spread(read_float(y + 4)), dd)
        tile += 2 * step
        x += 8
    return a + aa, b + bb, c + cc, d + dd


@compiled
def _measure(form: int) -> int:
    """Bytes of sixteen numbers."""
    return 4 * LANES if form == FLOAT32 else 2 * LANES


@compiled
def _load_plain(form: int, address: int) -> Floats:
    if form == FLOAT16:
        return load_halfs(address)
    return load_bfloats(address) if form == BFLOAT16 else load_floats(address)
